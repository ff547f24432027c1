import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doctor } from '../../src/cli/doctor.ts';
import type { Finding, Mark } from '../../src/doctor/finding.ts';
import { freePort } from '../support/port.ts';

export interface Told {
  readonly code: number;
  readonly text: string;
}

export interface Diagnosis {
  readonly code: number;
  readonly findings: readonly Finding[];
  /** The findings of one name. */
  named(name: string): readonly Finding[];
  /** `mark name` of all that are not ok, but for latency: what a busy machine adds to it says nothing of a Redis. */
  readonly troubles: readonly string[];
  readonly text: string;
}

const RULES = 'domain: edge\ndescriptors: [{key: user, rate_limit: {unit: hour, requests_per_unit: 10}}]\n';

/** A directory of rules, and flags that name it and free ports. */
export interface Ground {
  readonly directory: string;
  readonly flags: readonly string[];
  remove(): Promise<void>;
}

export async function ground(rules = RULES): Promise<Ground> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-doctor-'));
  await writeFile(join(directory, 'rules.yaml'), rules);
  const flags = ['--rules', directory];
  for (const door of ['', 'grpc-', 'debug-']) {
    flags.push(`--${door}host`, '127.0.0.1', `--${door}port`, String(await freePort()));
  }
  return { directory, flags, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** The command itself, in this process, with nothing but `env` for an environment. */
export async function told(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Told> {
  const texts: string[] = [];
  const code = await doctor(args, { write: (text: string) => texts.push(text) }, env);
  return { code, text: texts.join('') };
}

export async function diagnosis(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Diagnosis> {
  const { code, text } = await told([...args, '--json'], env);
  const { findings } = JSON.parse(text) as { findings: readonly Finding[] };
  const troubles = findings
    .filter(({ mark, name }) => mark !== ('ok' satisfies Mark) && name !== 'store.latency')
    .map(({ mark, name }) => `${mark} ${name}`);
  return { code, text, findings, troubles, named: (name) => findings.filter((it) => it.name === name) };
}
