import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { ownProcess } from '../support/process.ts';

export interface Exporter {
  /** Of statsd, TCP and UDP. */
  readonly statsdPort: number;
  /** Its exposition. */
  readonly webPort: number;
  /** Where the mapping file is, for weir to read the same. */
  readonly mapping: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A real statsd_exporter with this mapping file. */
export async function exporter(binary: string, mapping: string): Promise<Exporter> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-statsd-'));
  const file = join(dir, 'mapping.yaml');
  await writeFile(file, mapping);
  const [statsdPort, webPort] = [await freePort(), await freePort()];
  const launch = async () => {
    const child = await ownProcess({
      name: 'statsd_exporter',
      command: binary,
      args: [
        ...[`--statsd.listen-tcp=127.0.0.1:${statsdPort}`, `--statsd.listen-udp=127.0.0.1:${statsdPort}`],
        ...[`--web.listen-address=127.0.0.1:${webPort}`, `--statsd.mapping-config=${file}`],
      ],
    });
    await eventually('statsd_exporter to be up', async () => {
      if (!child.running()) return 'ended';
      return (await fetch(`http://127.0.0.1:${webPort}/metrics`)).ok;
    });
    if (!child.running()) throw new Error(`statsd_exporter ended\n${child.output()}`);
    return child;
  };
  let running = await launch();
  return {
    statsdPort,
    webPort,
    mapping: file,
    async stop() {
      await running.stop();
    },
    async start() {
      running = await launch();
    },
    async close() {
      await running.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
