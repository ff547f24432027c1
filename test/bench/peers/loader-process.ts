/** The process that sends calls, the same for both services; `loader.ts` starts it and tells it what to do. */

import { type CallEvents, Caller, nowUs } from '../caller.ts';
import { cpuTimes } from '../cpu-time.ts';
import { Histogram } from './histogram.ts';
import type { Order, Outcome } from './order.ts';
import { codeOf, type Messages, messagesOf, SCENARIOS } from './scenario.ts';

const CONNECTIONS = 8;
const STREAMS = 32;
/** Calls of an open loop that may wait for an answer before it is given up. */
const MOST_IN_FLIGHT = 50_000;
const LAST_ANSWERS_US = 3_000_000;

const latency = new Histogram();
const lag = new Histogram();

class Run implements CallEvents {
  readonly done: Promise<Outcome>;
  readonly #order: Order;
  readonly #messages: Messages;
  readonly #random: () => number;
  #callers: readonly Caller[] = [];
  #finish!: (outcome: Outcome) => void;
  #fail!: (error: Error) => void;
  #inFlight = 0;
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #fromUs = Number.POSITIVE_INFINITY;
  #untilUs = Number.POSITIVE_INFINITY;
  #dueUs = 0;
  #counting = false;
  #stopped = false;
  #cpuBefore: Record<string, number> = {};
  #ending: Pick<Outcome, 'answered' | 'seconds' | 'cpuUs' | 'busy'> | null = null;

  constructor(order: Order, messages: Messages) {
    this.#order = order;
    this.#messages = messages;
    this.#random = xorshift(order.seed);
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    latency.clear();
    lag.clear();
  }

  async start(code: number): Promise<void> {
    const { port, loop, warmUpMs, countedMs } = this.#order;
    const dialled = Array.from({ length: CONNECTIONS }, () => Caller.dial(port, this.#messages, code, this));
    this.#callers = await Promise.all(dialled);
    const startUs = nowUs();
    this.#fromUs = startUs + warmUpMs * 1_000;
    this.#untilUs = this.#fromUs + countedMs * 1_000;
    if (loop.kind === 'open') {
      this.#dueUs = startUs;
      setImmediate(this.#turn);
      return;
    }
    for (const caller of this.#callers) {
      for (let i = 0; i < STREAMS; i++) this.#sendNext(caller, startUs);
      caller.flush();
    }
  }

  ended(caller: Caller, dueUs: number, good: boolean, nowUs: number): void {
    this.#inFlight--;
    if (this.#counting) {
      if (this.#ending === null) this.#answered++;
      if (dueUs >= this.#fromUs) {
        latency.record(nowUs - dueUs);
        if (!good) this.#failed++;
      }
    }
    if (!good && this.#order.loop.kind === 'each') this.#failed++;
    if (this.#order.loop.kind !== 'open' && this.#ending === null) this.#sendNext(caller, nowUs);
  }

  /** An open loop looks at the clock in its turns. */
  read(): void {
    if (this.#order.loop.kind !== 'open') this.#watchClock(nowUs());
    if (this.#ending !== null && this.#inFlight === 0) this.#stop();
  }

  broken(error: Error): void {
    this.#stopped = true;
    this.#fail(error);
    for (const caller of this.#callers) caller.close();
  }

  readonly #turn = (): void => {
    if (this.#stopped) return;
    const now = nowUs();
    this.#watchClock(now);
    if (this.#ending !== null) {
      if (this.#inFlight === 0 || now > this.#untilUs + LAST_ANSWERS_US) this.#stop();
      else setImmediate(this.#turn);
      return;
    }
    const { loop } = this.#order;
    const meanUs = 1e6 / (loop.kind === 'open' ? loop.perSecond : 1);
    const before = this.#sent;
    while (this.#dueUs <= now) {
      if (this.#counting) lag.record(now - this.#dueUs);
      this.#send(this.#callers[this.#sent % CONNECTIONS]!, this.#dueUs);
      this.#dueUs -= meanUs * Math.log(1 - this.#random());
    }
    for (let i = before; i < this.#sent && i < before + CONNECTIONS; i++) this.#callers[i % CONNECTIONS]!.flush();
    if (this.#inFlight > MOST_IN_FLIGHT) this.broken(new Error(`${this.#inFlight} calls wait for an answer`));
    else setImmediate(this.#turn);
  };

  #sendNext(caller: Caller, nowUs: number): void {
    if (this.#order.loop.kind === 'each' && this.#sent === this.#messages.count) {
      if (this.#inFlight > 0) return;
      this.#end(nowUs);
      return;
    }
    this.#send(caller, nowUs);
  }

  #send(caller: Caller, dueUs: number): void {
    const { count } = this.#messages;
    const user = this.#order.loop.kind === 'each' ? this.#sent : Math.floor(this.#random() * count);
    this.#sent++;
    this.#inFlight++;
    caller.send(user, dueUs);
  }

  #watchClock(now: number): void {
    if (this.#order.loop.kind === 'each') return;
    if (!this.#counting && now >= this.#fromUs) {
      this.#cpuBefore = this.#cpuTimes();
      this.#fromUs = nowUs();
      this.#counting = true;
    }
    if (this.#ending === null && now >= this.#untilUs) this.#end(now);
  }

  #end(now: number): void {
    const after = this.#cpuTimes();
    const tookUs = now - this.#fromUs;
    const of = (share: number): Record<string, number> =>
      Object.fromEntries(
        Object.entries(after).map(([name, us]) => [name, (us - (this.#cpuBefore[name] ?? 0)) / share]),
      );
    this.#ending = { answered: this.#answered, seconds: tookUs / 1e6, cpuUs: of(this.#answered), busy: of(tookUs) };
  }

  #stop(): void {
    if (this.#stopped || this.#ending === null) return;
    this.#stopped = true;
    for (const caller of this.#callers) caller.close();
    // Whoever has no answer by now is not left out of the percentiles.
    for (let i = 0; i < this.#inFlight; i++) latency.record(LAST_ANSWERS_US);
    this.#finish({
      ...this.#ending,
      failed: this.#failed + this.#inFlight,
      latency: latency.percentiles(),
      lag: lag.percentiles(),
    });
  }

  #cpuTimes(): Record<string, number> {
    return cpuTimes({ ...this.#order.pids, loader: process.pid });
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
function xorshift(seed: number): () => number {
  let state = Math.imul(seed, 0x9e37_79b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

async function obey(order: Order): Promise<Outcome> {
  const scenario = SCENARIOS.find(({ name }) => name === order.scenario);
  if (scenario === undefined) throw new Error(`no scenario ${order.scenario}`);
  const run = new Run(order, messagesOf(scenario));
  await run.start(codeOf(scenario));
  return run.done;
}

process.on('message', (order: Order) => {
  obey(order).then(
    (outcome) => process.send?.({ outcome }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
