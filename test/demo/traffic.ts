import { Agent, request } from 'node:http';

/** Somebody who asks steadily, whatever the answer. */
export interface Visitor {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly perSecond: number;
}

/** Some stay within their limits, some come near, and one of each domain goes far beyond. */
export const VISITORS: readonly Visitor[] = [
  { path: '/shop', headers: { 'x-forwarded-for': '10.0.0.1' }, perSecond: 0.1 },
  { path: '/shop', headers: { 'x-forwarded-for': '10.0.0.2' }, perSecond: 0.16 },
  { path: '/shop', headers: { 'x-forwarded-for': '10.0.0.66' }, perSecond: 2 },
  { path: '/api', headers: { 'x-plan': 'free', 'x-team': 'ada' }, perSecond: 1 },
  { path: '/api', headers: { 'x-plan': 'free', 'x-team': 'bert' }, perSecond: 4 },
  { path: '/api', headers: { 'x-plan': 'pro', 'x-team': 'cora' }, perSecond: 15 },
  { path: '/api', headers: { 'x-plan': 'pro', 'x-team': 'dora' }, perSecond: 30 },
  { path: '/api', headers: { 'x-plan': 'trial', 'x-team': 'eve' }, perSecond: 3 },
];

const MAX_IN_FLIGHT = 64;

export interface Traffic {
  stop(): void;
}

/** Sends what the visitors ask to 127.0.0.1:port. An answer that does not come is nobody's trouble here. */
export function traffic(port: number, visitors: readonly Visitor[] = VISITORS): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let inFlight = 0;

  function ask({ path, headers }: Visitor): void {
    if (inFlight >= MAX_IN_FLIGHT) return;
    inFlight++;
    const outgoing = request({ host: '127.0.0.1', port, path, headers, agent }, (answer) => answer.resume());
    outgoing.on('error', () => {});
    outgoing.once('close', () => inFlight--);
    outgoing.end();
  }

  const timers = visitors.map((visitor) => setInterval(() => ask(visitor), 1_000 / visitor.perSecond));
  for (const visitor of visitors) ask(visitor);
  return {
    stop() {
      for (const timer of timers) clearInterval(timer);
      agent.destroy();
    },
  };
}
