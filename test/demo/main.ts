import { envoyInstalled, installed, PROMETHEUS, REDIS } from '../run/install.ts';
import type { OwnProcess } from '../support/process.ts';
import { board } from './board.ts';
import { type Demo, demo } from './demo.ts';

// `make demo`: Redis, weir, Envoy, an application, Prometheus and traffic, until Ctrl-C.
const BOARD_EVERY_MS = 2_000;

const closers: (() => unknown)[] = [];
const abort = new AbortController();
const stopped = new Promise<void>((done) => {
  abort.signal.addEventListener('abort', () => done());
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // A second one does not wait: the children are killed as this process exits.
  process.on(signal, () => (abort.signal.aborted ? process.exit(1) : abort.abort()));
}

const missing = [installed({ ...REDIS, without: '' }), installed({ ...PROMETHEUS, without: '' }), envoyInstalled('')];
const advice = missing.filter((it) => it !== '');
for (const each of advice) console.error(each);
process.exitCode = advice.length > 0 ? 1 : await run();

/** 0 when it was asked to end and nothing is left, else 1. */
async function run(): Promise<number> {
  let code = 0;
  try {
    console.log('starting Redis, weir, an application, Envoy and Prometheus');
    const running = await demo(closers, abort.signal);
    console.log(told(running, await alertsOf(running)));
    const timer = process.stdout.isTTY ? showBoard(running) : undefined;
    await Promise.race([stopped, fallen(running)]);
    clearInterval(timer);
  } catch (error) {
    // Ctrl-C in a terminal reaches the children too, and ends what was just starting.
    if (!abort.signal.aborted) {
      console.error((error as Error).message);
      code = 1;
    }
  }
  console.log('\nstopping');
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      console.error((error as Error).message);
      code = 1;
    }
  }
  return code;
}

/** Rejects when a part ends that nobody asked to end. A Redis that is killed is something to look at, no accident. */
async function fallen({ weir, envoy, prometheus }: Demo): Promise<never> {
  const parts: readonly OwnProcess[] = [weir.process(), envoy.process(), prometheus.process()];
  const first = await Promise.race(parts.map((part) => part.ended.then(() => part)));
  throw new Error(`${first.name} has ended:\n${first.output()}`);
}

function showBoard({ prometheus }: Demo): NodeJS.Timeout {
  let shown = 0;
  let busy = false;
  return setInterval(async () => {
    if (busy || abort.signal.aborted) return;
    busy = true;
    const lines = await board(prometheus).catch(() => []);
    busy = false;
    if (lines.length === 0 || abort.signal.aborted) return;
    // Up to where the last board began, and clear from there.
    process.stdout.write(`${shown === 0 ? '' : `\x1b[${shown}A\x1b[J`}${lines.join('\n')}\n`);
    shown = lines.length;
  }, BOARD_EVERY_MS);
}

/** Debian builds Prometheus without its newer pages. */
async function alertsOf({ prometheus: { url } }: Demo): Promise<string> {
  const { ok } = await fetch(`${url}/alerts`);
  return ok ? `${url}/alerts` : `${url}/classic/alerts`;
}

function told({ weir, redis, upstreamPort, envoyPort, prometheus }: Demo, alerts: string): string {
  const at = (port: number): string => `http://127.0.0.1:${port}`;
  return `
  Envoy        ${at(envoyPort)}  asks weir for what comes to /shop and /api
  application  ${at(upstreamPort)}  gets what is allowed
  weir         127.0.0.1:${weir.grpcPort} gRPC, ${at(weir.httpPort)}/metrics, ${at(weir.adminPort)}/rules
  Redis        127.0.0.1:${redis.port}, process ${redis.pid}: kill -9 it, and see what weir and Envoy do
  Prometheus   ${prometheus.url}  with the alerts of deploy/prometheus, at ${alerts}

Some visitors ask all the time. Ask too, in another terminal: ten requests a minute for each address, two a second for a
team of the free plan.

  for i in 1 2 3 4 5 6 7 8 9 10 11; do curl -s -o /dev/null -w '%{http_code}\\n' ${at(envoyPort)}/shop; done
  for i in 1 2 3 4 5; do curl -si -H 'x-plan: free' -H 'x-team: yours' ${at(envoyPort)}/api | grep -i -e HTTP -e ratelimit; done
  curl -sG ${prometheus.url}/api/v1/query --data-urlencode 'query=sum by (domain, code) (ratelimit_decisions_total)'

Ctrl-C ends all of it.
`;
}
