import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../house/tree.ts';

const MOST_BYTES = 16 * 1024 * 1024;
const HELM_TAKES_MS = 60_000;

export const CHART = join(ROOT, 'deploy/helm/weir');
export const RELEASE = { name: 'weir', namespace: 'ratelimit' } as const;

/** Name of a set of values -> its file; '' is what the chart has of itself. */
export const VALUE_SETS: Readonly<Record<string, string | null>> = {
  defaults: null,
  ...Object.fromEntries(
    readdirSync(new URL('values/', import.meta.url))
      .sort()
      .map((file) => [file.replace('.yaml', ''), join(ROOT, 'test/deploy/values', file)]),
  ),
};

/** A Kubernetes object as YAML has it. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes say what is in there, and the tests ask them.
  readonly [field: string]: any;
}

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  /** What is wrong, and which links it followed. */
  readonly stderr: string;
}

/** Runs helm, with a file of values and `name=value`s. */
export function helmSays(binary: string, command: readonly string[], values: string | null, ...set: string[]): Said {
  const flags = [...(values === null ? [] : ['--values', values]), ...set.flatMap((each) => ['--set', each])];
  const options = { encoding: 'utf8', maxBuffer: MOST_BYTES, timeout: HELM_TAKES_MS, cwd: ROOT } as const;
  const { status, stdout, stderr, error } = spawnSync(binary, [...command, ...flags], options);
  if (error) throw error;
  return { code: status, stdout, stderr };
}

/** What the chart installs with a set of values. Throws what helm says against it. */
export function rendered(binary: string, values: string | null, ...set: string[]): readonly Resource[] {
  return renderedAs(RELEASE, binary, values, ...set);
}

/** The same under other names. */
export function renderedAs(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  binary: string,
  values: string | null,
  ...set: string[]
): readonly Resource[] {
  const { code, stdout, stderr } = helmSays(
    binary,
    ['template', name, CHART, '--namespace', namespace],
    values,
    ...set,
  );
  if (code !== 0) throw new Error(stderr);
  return resources(stdout);
}

/** Read as Helm and Kubernetes read: by YAML 1.1, to which `on` and `1:30` are no texts. */
export function resources(text: string): readonly Resource[] {
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents.map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS() as Resource;
  });
}

export function only(all: readonly Resource[], kind: string, name?: string): Resource {
  const found = all.filter((each) => each.kind === kind && (name === undefined || each.metadata.name === name));
  if (found.length !== 1) throw new Error(`${found.length} of ${kind} ${name ?? ''}`);
  return found[0] as Resource;
}

/** Of the only container of a Deployment. */
export interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: as Resource.
  readonly [field: string]: any;
}

export const containerOf = (deployment: Resource): Container => deployment.spec.template.spec.containers[0];

/** The environment that it sets outright. */
export function environmentOf({ env }: Container): Readonly<Record<string, string>> {
  return Object.fromEntries(
    env.filter(({ value }) => value !== undefined).map(({ name, value }) => [name, value ?? '']),
  );
}
