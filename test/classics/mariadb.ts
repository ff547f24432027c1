import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { succeeds } from './copy.ts';

/** Debian has it where people who are not root don't look. */
const PATH = `${process.env.PATH}:/usr/sbin`;

/** A MariaDB of the tests, on a unix socket in a folder of its own. */
export interface Mariadb {
  /** For whom the schema lets read. */
  readonly url: string;
  kill(): Promise<unknown>;
  /** Ends it and removes what it left. */
  stop(): Promise<void>;
}

/** Call it first in a `before` hook. A missing MariaDB is an error, so that nobody believes these tests ran. */
export function needsMariadb(): void {
  if (spawnSync('mariadbd', ['--version'], { env: { PATH } }).status !== 0) {
    throw new Error('mariadbd is not on the PATH: apt-get install mariadb-server');
  }
}

export async function ownMariadb(schema: string): Promise<Mariadb> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-mariadb-'));
  const socket = join(folder, 's');
  const data = join(folder, 'data');
  const own = ['--no-defaults', `--user=${userInfo().username}`, `--datadir=${data}`];
  const client = ['--no-defaults', '-u', 'root', '-S', socket];
  let server: OwnProcess | undefined;
  const stop = async () => {
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await succeeds(
      'mariadb-install-db',
      [...own, '--auth-root-authentication-method=normal', '--skip-test-db'],
      folder,
    );
    const args = [...own, `--socket=${socket}`, '--skip-networking', `--pid-file=${join(folder, 'pid')}`];
    const running = await ownProcess({ name: 'mariadbd', command: 'mariadbd', args, env: { PATH } });
    server = running;
    await eventually('mariadbd to answer a ping', async () => {
      if (!running.running()) throw new Error(running.output());
      return succeeds('mariadb-admin', [...client, 'ping'], folder);
    });
    await succeeds('mariadb', [...client, '-e', readFileSync(schema, 'utf8')], folder);
    return { url: `mysql://reader@localhost/world?socketPath=${socket}`, kill: () => running.kill(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
