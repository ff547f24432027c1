import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { ownProcess } from '../support/process.ts';

const START_DEADLINE_MS = 60_000;

export interface Prometheus {
  /** An instant query: the labels of each series, joined, and its value. */
  query(promql: string): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** A real Prometheus that scrapes one port every second. */
export async function prometheus(metricsPort: number): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-prometheus-'));
  const port = await freePort();
  const config = join(dir, 'prometheus.json');
  const scrape = { job_name: 'weir', static_configs: [{ targets: [`127.0.0.1:${metricsPort}`] }] };
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: [scrape] }));
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
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  try {
    await eventually('Prometheus to be ready', async () => (await get('/-/ready')).ok, START_DEADLINE_MS);
  } catch (error) {
    await close();
    throw new Error(`${(error as Error).message}\n${child.output()}`);
  }
  return {
    close,
    async query(promql) {
      const answer = await get(`/api/v1/query?query=${encodeURIComponent(promql)}`);
      const { data } = (await answer.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return Object.fromEntries(data.result.map((it) => [Object.values(it.metric).join(), Number(it.value[1])]));
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
