import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from '../house/tree.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';

/** The ports that the pages speak of. Here each stands for a free one, back and forth. */
const PORTS = ['8080', '8081', '6070', '8090', '8091', '6090', '6379', '10000', '3000'];
const COMMAND_TAKES_MS = 60_000;
const SERVES = /^(?:\w+=\S* )*(?:make run|(?:weir|node dist\/main\.js) serve|redis-server)\b/;

export interface Answered {
  readonly code: number | null;
  readonly output: string;
}

/** What a reader has: a shell in a checkout, with `weir` on the PATH, and one more for each thing that serves. */
export interface Terminal {
  write(file: string, text: string): Promise<void>;
  /** Resolves when it has ended, or serves. Whatever serves at the same ports is stopped first. */
  run(command: string): Promise<Answered>;
  close(): Promise<void>;
}

export async function terminal(): Promise<Terminal> {
  const dir = await mkdtemp(join(tmpdir(), 'weir-docs-'));
  const bin = join(dir, '.bin');
  await mkdir(bin);
  await writeFile(join(bin, 'weir'), `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'dist/main.js')} "$@"\n`);
  await chmod(join(bin, 'weir'), 0o755);
  for (const name of await readdir(ROOT)) {
    if (!name.startsWith('.git')) await symlink(join(ROOT, name), join(dir, name));
  }
  const free = new Map<string, string>();
  for (const port of PORTS) free.set(port, String(await freePort()));
  const ours = new Map([...free].map(([told, port]) => [port, told]));
  const here = (text: string) => text.replace(/\b\d{4,5}\b/g, (port) => free.get(port) ?? port);
  const told = (text: string) => text.replace(/\b\d{4,5}\b/g, (port) => ours.get(port) ?? port);
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOST: '127.0.0.1',
    GRPC_HOST: '127.0.0.1',
    DEBUG_HOST: '127.0.0.1',
    PORT: here('8080'),
    GRPC_PORT: here('8081'),
    DEBUG_PORT: here('6070'),
  };
  const serving = new Map<string, OwnProcess>();

  /** Rules by the day, so that no window ends between the first request and the last. */
  async function byTheDay(path: string): Promise<string> {
    const copy = join(await mkdtemp(join(dir, '.served-')), 'rules');
    await cp(join(dir, path), copy, { recursive: true, dereference: true });
    const files = path.endsWith('.yaml') ? [copy] : (await readdir(copy)).map((name) => join(copy, name));
    for (const file of files) {
      await writeFile(file, (await readFile(file, 'utf8')).replaceAll('unit: minute', 'unit: day'));
    }
    return copy;
  }

  async function serve(command: string): Promise<Answered> {
    const [, rules = 'examples/rules'] = /(?:--rules |RULES=)(\S+)/.exec(command) ?? [];
    const isWeir = !command.startsWith('redis-server');
    const copy = isWeir ? await byTheDay(rules) : '';
    const text = here(command)
      .replace(/--rules \S+/, `--rules ${copy}`)
      // What was built is served as it is, so that no test builds under the hands of another.
      .replace(/make run(?: RULES=\S+)?/, `make -s -o build -o deps run RULES=${copy}`);
    const [, port = '8080'] = /--port (\d+)/.exec(command) ?? [];
    await serving.get(port)?.stop();
    const child = await own(`exec env ${text}`, command);
    serving.set(port, child);
    await eventually(`${command} to serve`, async () => {
      if (!child.running()) throw new Error(child.output());
      if (!isWeir) return child.output().includes('Ready to accept connections');
      return (await fetch(`http://127.0.0.1:${here(port)}/readyz`)).ok;
    });
    return { code: null, output: '' };
  }

  function own(script: string, name: string): Promise<OwnProcess> {
    return ownProcess({ name, command: 'sh', args: ['-c', script], env, cwd: dir });
  }

  return {
    async write(file, text) {
      await mkdir(dirname(join(dir, file)), { recursive: true });
      await writeFile(join(dir, file), text);
    },
    async run(command) {
      if (/\b6379\b/.test(command) && !serving.has('6379')) await serve('redis-server --port 6379');
      if (SERVES.test(command)) return serve(command);
      const asksServer = /\bclient\b|curl/.test(command);
      if (asksServer && !serving.has('8080')) await serve('weir serve --rules examples/rules');
      const script = command.replace(/(\bclient\b)(?!.*--address)(?=.*--domain)/s, '$1 --address 127.0.0.1:8081');
      const child = await own(here(script), command);
      await eventually(`${command} to end`, () => !child.running(), COMMAND_TAKES_MS).finally(() => child.kill());
      const { code } = await child.ended;
      return { code, output: told(child.output()) };
    },
    async close() {
      for (const child of [...serving.values()].reverse()) await child.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
