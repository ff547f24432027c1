import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

const START_DEADLINE_MS = 60_000;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a Prometheus answers. */
export interface Questions {
  /** `data` of what its HTTP API answers below /api/v1; throws what it says where it refuses. */
  api<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
  /** An instant query. */
  samples(promql: string): Promise<readonly Sample[]>;
  /** The same: the labels of each series, joined, and its value. */
  query(promql: string): Promise<Readonly<Record<string, number>>>;
}

export interface Prometheus extends Questions {
  readonly url: string;
  process(): OwnProcess;
  close(): Promise<void>;
}

/** A real Prometheus that scrapes one port every second, and evaluates the rules of these files as often. */
export async function prometheus(metricsPort: number, ruleFiles: readonly string[] = []): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-prometheus-'));
  const port = await freePort();
  const config = join(dir, 'prometheus.json');
  const scrape = { job_name: 'weir', static_configs: [{ targets: [`127.0.0.1:${metricsPort}`] }] };
  // JSON is YAML.
  const global = { scrape_interval: '1s', evaluation_interval: '1s' };
  await writeFile(config, JSON.stringify({ global, rule_files: ruleFiles, scrape_configs: [scrape] }));
  const child = await ownProcess({
    name: 'prometheus',
    command: 'prometheus',
    args: [
      ...[`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'data')}`],
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
  const close = async () => {
    await child.stop();
    await rm(dir, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const get = (path: string) => fetch(`${url}${path}`);
  try {
    const isReady = async () => !child.running() || (await get('/-/ready')).ok;
    await eventually('Prometheus to be ready', isReady, START_DEADLINE_MS);
    if (!child.running()) throw new Error('Prometheus has ended');
  } catch (error) {
    await close();
    throw new Error(`${(error as Error).message}\n${child.output()}`);
  }
  return { ...questions(url), url, process: () => child, close };
}

/** Asks the Prometheus that is there. */
export function questions(url: string): Questions {
  async function api<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { data, error } = (await answer.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(error);
    return data;
  }

  async function samples(promql: string): Promise<readonly Sample[]> {
    type Found = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };
    const { result } = await api<{ result: readonly Found[] }>('query', { query: promql });
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  return {
    api,
    samples,
    async query(promql) {
      const all = await samples(promql);
      return Object.fromEntries(all.map(({ labels, value }) => [Object.values(labels).join(), value]));
    },
  };
}

/** The names that `promtool check metrics` complains of, and what it says. */
export function promtoolComplaints(exposition: string): Readonly<Record<string, string>> {
  const { stderr, stdout, error } = spawnSync('promtool', ['check', 'metrics'], { input: exposition });
  if (error) throw error;
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ') + 1)]));
}
