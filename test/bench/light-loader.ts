/** A process of `lightLoad`: says that it is ready, begins when its stdin ends, and says what came of it as JSON. */
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { type CallEvents, Caller } from './caller.ts';
import type { LightLoadOrder, LightLoadOutcome } from './light-load.ts';
import { OK } from './light-load.ts';

const STREAMS = 32;

const { port, calls, connections, file, messages: count } = JSON.parse(process.argv[2] ?? '') as LightLoadOrder;
const bodies = readFileSync(file);
const bytes = bodies.length / count;
const messages = {
  count,
  bytes,
  write: (to: Uint8Array, at: number, i: number) => to.set(bodies.subarray(i * bytes, (i + 1) * bytes), at),
};

let sent = 0;
let ended = 0;
let allowed = 0;
let startedMs = 0;

function send(caller: Caller): void {
  if (sent < calls) caller.send(sent++ % count, 0);
}

const events: CallEvents = {
  ended(caller, _dueUs, good) {
    if (good) allowed++;
    if (++ended === calls) finish();
    else send(caller);
  },
  read() {},
  broken(error) {
    throw error;
  },
};

function finish(): void {
  const outcome: LightLoadOutcome = { allowed, seconds: (performance.now() - startedMs) / 1_000 };
  console.log(JSON.stringify(outcome));
  for (const caller of callers) caller.close();
}

const callers = await Promise.all(Array.from({ length: connections }, () => Caller.dial(port, messages, OK, events)));
console.log('ready');
await buffer(process.stdin);
startedMs = performance.now();
for (const caller of callers) {
  for (let i = 0; i < STREAMS; i++) send(caller);
  caller.flush();
}
