import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { stringify } from 'yaml';
import { pythonWith, run } from '../foreign/toolchain.ts';
import type { Resource } from './chart.ts';
import { CUSTOM } from './custom-kinds.ts';

/** The oldest Kubernetes that the chart says it is for, and the newest that there are schemas of. */
export const KUBERNETES = ['1.29.0', '1.37.0'] as const;

/** A Python with the schemas of Kubernetes' own kinds. */
export const validator = (): Promise<string> =>
  pythonWith(['kubernetes-validate==1.37.0'], 'import kubernetes_validate');

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
const checks = Object.fromEntries(Object.entries(CUSTOM).map(([kind, schema]) => [kind, ajv.compile(schema)]));

const kindOf = ({ apiVersion, kind }: Resource): string => `${apiVersion} ${kind}`;

/**
 * What is wrong with objects, a line each: Kubernetes' own kinds by its schemas, in their strict form, and custom kinds by
 * ours. An object that no schema is for is wrong too.
 */
export async function wrongWith(python: string, all: readonly Resource[]): Promise<readonly string[]> {
  const custom = all.filter((each) => checks[kindOf(each)] !== undefined);
  const own = all.filter((each) => !custom.includes(each));
  return [...custom.flatMap(wrongWithCustom), ...(own.length === 0 ? [] : await wrongWithOwn(python, own))];
}

function wrongWithCustom(resource: Resource): readonly string[] {
  const check = checks[kindOf(resource)];
  if (check?.(resource)) return [];
  return (check?.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${resource.kind} ${resource.metadata.name}${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

async function wrongWithOwn(python: string, own: readonly Resource[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-kinds-'));
  try {
    const file = join(folder, 'all.yaml');
    await writeFile(file, own.map((each) => stringify(each, { version: '1.1' })).join('---\n'));
    const wrong: string[] = [];
    for (const version of KUBERNETES) {
      const { output } = await run(python, ['-m', 'kubernetes_validate', '-k', version, '--strict', file]);
      const lines = output.trim().split('\n');
      const passed = lines.filter((line) => line.startsWith('INFO ') && line.includes(' passed for resource '));
      wrong.push(...lines.filter((line) => !passed.includes(line)));
      if (passed.length !== own.length) wrong.push(`${passed.length} of ${own.length} passed against ${version}`);
    }
    return wrong;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
