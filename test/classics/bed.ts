import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import type { OwnProcess } from '../support/process.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { type Copy, longer } from './copy.ts';

/** A Redis, and a weir that counts in it by the rules of an example, with windows that outlast the test. */
export interface Bed {
  readonly redis: OwnRedis;
  readonly weir: Service;
  /** For the example's own code, and for its naive form. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** As slow as a busy machine may be: a failure policy must answer for a dead Redis, and not for a late one. */
const PATIENT = { REDIS_COMMAND_TIMEOUT: '10s', MAX_LOOP_LAG: '0' };

export async function bed(copy: Copy, example: string, env: Readonly<Record<string, string>> = {}): Promise<Bed> {
  const redis = await ownRedis();
  const rules = { 'rules.yaml': longer(await copy.rules(example)) };
  const settings = {
    KEY_FORMAT: 'escaped',
    HASH_VALUE_SECRET: 'a secret of the tests, long enough',
    ...PATIENT,
    ...env,
  };
  const weir = await service({ rules, redis: redis.url, env: settings }).catch(async (error: unknown) => {
    await redis.stop();
    throw error;
  });
  return {
    redis,
    weir,
    env: {
      WEIR: `127.0.0.1:${weir.grpcPort}`,
      WEIR_METRICS: `http://127.0.0.1:${weir.httpPort}/metrics`,
      WEIR_TIMEOUT: '20',
      WEIR_TIMEOUT_MS: '20000',
      REDIS_URL: `redis://${redis.url}`,
    },
    async close() {
      await weir.close();
      await redis.stop();
    },
  };
}

/** Starts a server of an example on a free port, and resolves when it takes connections. */
export async function listening(
  start: (port: string) => Promise<OwnProcess>,
): Promise<{ readonly port: number; readonly process: OwnProcess }> {
  const port = await freePort();
  const process = await start(String(port));
  try {
    await eventually('the example to listen', async () => {
      if (!process.running()) return 'ended';
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect').finally(() => socket.destroy());
      return 'there';
    });
    if (!process.running()) throw new Error('it ended');
  } catch (error) {
    await process.stop();
    throw new Error(`${(error as Error).message}\n${process.output()}`);
  }
  return { port, process };
}
