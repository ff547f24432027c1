import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from '../../../src/within.ts';
import type { Order, Outcome } from './order.ts';

const PROCESS = path.join(path.dirname(fileURLToPath(import.meta.url)), 'loader-process.ts');
/** Beyond the time that an order names. */
const PATIENCE_MS = 30_000;

type Reply = { readonly outcome: Outcome } | { readonly error: string };

/** One process for the whole run, so that it is as warm for one service as for the other. */
export interface Loader {
  obey(order: Order): Promise<Outcome>;
  stop(): void;
}

/**
 * On core 1, beside Redis. It looks at its sockets and its clock all the time, so it is idle to the scheduler: whenever
 * Redis has something to do, Redis runs.
 */
export async function loader(): Promise<Loader> {
  const args = ['-c', '1', 'chrt', '--idle', '0', process.execPath, '--import=tsx', PROCESS];
  const child = spawn('taskset', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  // It ends when its channel does, however this process ended.
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the loader ended with ${code}`)));
  });
  ended.catch(() => {});
  await within(PATIENCE_MS, Promise.race([once(child, 'message'), ended]));
  return {
    async obey(order) {
      const replied = nextReply(child);
      child.send(order);
      const ms = order.warmUpMs + order.countedMs + PATIENCE_MS;
      const reply = await within(ms, Promise.race([replied, ended]));
      if ('error' in reply) throw new Error(`${order.scenario} ${order.loop.kind}: ${reply.error}`);
      return reply.outcome;
    },
    stop() {
      if (child.connected) child.disconnect();
    },
  };
}

async function nextReply(child: ChildProcess): Promise<Reply> {
  const [reply] = await once(child, 'message');
  return reply as Reply;
}
