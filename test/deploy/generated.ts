/**
 * What is made of the chart and of the settings: `npx tsx test/deploy/generated.ts --write` writes it anew, and the tests
 * hold the files against it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ENTRIES } from '../../src/settings/settings.ts';
import { helm } from '../foreign/go-tools.ts';
import { ROOT } from '../house/tree.ts';
import { CHART, rendered } from './chart.ts';

export const SCHEMA_FILE = join(CHART, 'values.schema.json');
export const MANIFEST_FILE = join(ROOT, 'deploy/kubernetes/20-weir.yaml');
const OF_HELM = ['helm.sh/chart', 'app.kubernetes.io/managed-by'];
const HEAD = `# Made of the chart in deploy/helm/weir as it is without values, by \`npx tsx test/deploy/generated.ts --write\`.
# Edit it as you like where you use it: what stands out is image, REDIS_URL, replicas and the rules.
`;

/** What ports, probes, mounts and the time to stop of a pod depend on has a value of its own, or none. */
const OF_THE_CHART = ['PORT', 'GRPC_PORT', 'GRPC_UDS', 'DEBUG_PORT', 'RULES', 'DRAIN_DELAY', 'DRAIN_TIMEOUT'];

/** Names that the chart takes below `settings`: secrets have no place in a manifest. */
export const settingNames = (): readonly string[] =>
  ENTRIES.filter(([, { form }]) => form !== 'secret')
    .map(([, { env }]) => env)
    .filter((name) => !OF_THE_CHART.includes(name))
    .sort();

/** The chart's output as files for kubectl: without the labels that say it is Helm's. */
export function manifest(binary: string): string {
  const documents = rendered(binary, null);
  return HEAD + documents.map((each) => stringify(withoutHelm(each), { lineWidth: 0, version: '1.1' })).join('---\n');
}

function withoutHelm<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutHelm) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !OF_HELM.includes(key));
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutHelm(each)])) as T;
}

export function schema(): { readonly $defs: { readonly setting: { enum: readonly string[] } } } {
  return JSON.parse(readFileSync(SCHEMA_FILE, 'utf8'));
}

async function write(): Promise<void> {
  const values = schema();
  values.$defs.setting.enum = settingNames();
  writeFileSync(SCHEMA_FILE, `${JSON.stringify(values, null, 2)}\n`);
  writeFileSync(MANIFEST_FILE, manifest(await helm()));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void write();
