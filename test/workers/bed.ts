import { existsSync, readFileSync } from 'node:fs';
import { metric } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Rules, type Service, service } from '../support/service.ts';

export const WORKERS = 2;
const START_MS = 60_000;

/** weir with 2 workers on a Redis of its own. */
export interface Bed {
  readonly redis: OwnRedis;
  readonly weir: Service;
  /** Of the workers that run. */
  pids(): readonly number[];
  /** All workers serve. */
  whole(): Promise<void>;
  close(): Promise<void>;
}

export async function bed(rules: Rules, env: Readonly<Record<string, string>> = {}): Promise<Bed> {
  const redis = await ownRedis();
  let weir: Service;
  try {
    const wanted = { WORKERS: String(WORKERS), REDIS_COMMAND_TIMEOUT: '25s', LOG_FORMAT: 'json', ...env };
    weir = await service({ rules, redis: redis.url, env: wanted });
  } catch (error) {
    await redis.stop();
    throw error;
  }
  const made: Bed = {
    redis,
    weir,
    pids: () => childrenOf(weir.process().pid),
    whole: () =>
      eventually(
        `${WORKERS} workers that serve`,
        async () => (await metric(weir.adminPort, 'weir_workers')) === WORKERS,
        START_MS,
      ).then(() => {}),
    async close() {
      const left = made.pids();
      await weir.close();
      await redis.stop();
      for (const pid of left.filter(isRunning)) process.kill(pid, 'SIGKILL');
    },
  };
  try {
    await made.whole();
  } catch (error) {
    await made.close();
    throw error;
  }
  return made;
}

export function childrenOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** A process that nobody has waited for yet does not run. */
export function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function allEnd(pids: readonly number[]): Promise<void> {
  await eventually(`an end of ${pids}`, () => !pids.some(isRunning), START_MS);
}
