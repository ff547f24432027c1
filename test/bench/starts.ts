/** `make bench-starts`: whether fresh processes of the service all cost the same. Prints; writes nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { ownProcess } from '../support/process.ts';
import { ownRedis } from '../support/redis.ts';
import { load } from './load.ts';
import { messagesOf, rulesOfScenarios, SCENARIOS } from './peers/scenario.ts';

const DIST = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const WARM_UP_CALLS = 30_000;
const CALLS = 100_000;
/** Measurements of one process: what they share is the process, and not the moment. */
const TIMES = 3;
const GRPC_PREFIX = 5;

const starts = Number(process.env.STARTS || 10);
const transport = process.env.GRPC_TRANSPORT || 'wire';
const messages = messagesOf(SCENARIOS[0]!);
const framed = new Uint8Array(messages.bytes);
messages.write(framed, 0, 0);
const body = framed.subarray(GRPC_PREFIX);

const dir = mkdtempSync(path.join(tmpdir(), 'weir-starts-'));
const redis = await ownRedis();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    rmSync(dir, { recursive: true, force: true });
    void redis.stop().finally(() => process.exit(130));
  });
}
try {
  writeFileSync(path.join(dir, 'rules.yaml'), rulesOfScenarios());
  execFileSync('taskset', ['-acp', '1', String(redis.pid)]);
  const best: number[] = [];
  for (let start = 1; start <= starts; start++) {
    const us = await fresh();
    best.push(Math.min(...us));
    console.log(`${start}/${starts} ${transport}: ${us.map((each) => each.toFixed(2)).join(', ')} us a call`);
  }
  best.sort((a, b) => a - b);
  const [least = Number.NaN] = best;
  console.log(`best of each, from the least: ${best.map((us) => us.toFixed(2)).join(' ')}`);
  console.log(`the slowest costs ${((best.at(-1) ?? Number.NaN) / least).toFixed(2)} times the fastest`);
} finally {
  await redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function fresh(): Promise<readonly number[]> {
  const port = await freePort();
  const ports = ['--port', await freePort(), '--debug-port', await freePort(), '--grpc-port', port].map(String);
  const child = await ownProcess({
    name: 'weir',
    command: 'taskset',
    args: ['-c', '0', process.execPath, DIST, 'serve', '--rules', path.join(dir, 'rules.yaml'), ...ports],
    env: { GRPC_TRANSPORT: transport, REDIS_URL: redis.url },
  });
  try {
    await eventually('weir is ready', () => child.output().includes('serving: '));
    const asked = { port, pids: { server: child.pid }, body, dir };
    await load({ ...asked, calls: WARM_UP_CALLS });
    const us: number[] = [];
    for (let i = 0; i < TIMES; i++) us.push((await load({ ...asked, calls: CALLS })).cpuUs.server!);
    return us;
  } finally {
    await child.stop();
  }
}
