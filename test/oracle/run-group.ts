import { setTimeout as pause } from 'node:timers/promises';
import { type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Caller, caller } from './caller.ts';
import { differences } from './compare.ts';
import type { Expectations, Expected } from './differences.ts';
import { type Answer, isCheck, recordedAnswer, type Scenario, type Step } from './scenario.ts';
import { type Server, server } from './server.ts';
import type { Tally } from './tally.ts';
import { keyOfName, nameOfKey, secondsOfName, WINDOW_SECONDS } from './window.ts';

const RETRY_MS = 100;
/** The Go service's counters reach /metrics at a flush, once a second here. */
const METRICS_MS = 4_500;
/** A counter may outlive its window by the jitter, 300 s at most. */
const JITTER_SECONDS = 300;
const HOUR_ROOM_SECONDS = 45;

export interface Bed {
  readonly command: string;
  /** null: the scenarios are replayed on the memory store. */
  readonly redis: OwnRedis | null;
  readonly expect: Expectations;
  readonly tally: Tally;
}

interface Run extends Bed {
  readonly scenario: Scenario;
  readonly server: Server;
  readonly caller: Caller;
}

const checksCounters = (s: Scenario, bed: Bed): boolean => bed.redis !== null && !s.noCounters;

/** Scenarios of one environment, one after the other on one server. */
export async function runGroup(group: readonly Scenario[], shared: Bed): Promise<void> {
  await roomInTheHour();
  const alone = group.length === 1;
  const rules = group.flatMap((s) =>
    Object.entries(s.rules ?? {}).map(([name, text]) => [alone ? name : `${s.id}.${name}`, text] as const),
  );
  const own = shared.redis !== null && group.some((s) => s.ownRedis) ? await ownRedis() : null;
  const bed = own === null ? shared : { ...shared, redis: own };
  let left = group.reduce((n, s) => n + checksOf(s, bed), 0);
  const done = (n: number) => {
    left -= n;
  };
  let under: Server | undefined;
  let calls: Caller | undefined;
  try {
    under = await server({
      command: bed.command,
      rules: Object.fromEntries(rules),
      redisPort: bed.redis?.port ?? null,
      env: group[0]!.env ?? {},
    });
    calls = caller(under.grpcAddress);
    for (const scenario of group) {
      const run: Run = { ...bed, scenario, server: under, caller: calls };
      for (const [index, step] of scenario.steps.entries()) {
        await runStep(run, step, index);
        if (isCheck(step)) done(1);
      }
      if (checksCounters(scenario, bed)) {
        await checkCounters(run);
        done(1);
      }
    }
    const metered = group.filter((s) => !s.noMetrics);
    await checkMetrics(under, metered, bed);
    done(metered.length);
  } catch (error) {
    // What could not be looked at any more has failed too.
    const ids = group.map((s) => s.id).join(', ');
    bed.tally.failed(ids, `stopped with ${left} checks to go`, [(error as Error).message], Math.max(left, 1));
  } finally {
    calls?.close();
    await under?.stop();
    await own?.stop();
  }
}

function checksOf(s: Scenario, bed: Bed): number {
  return s.steps.filter(isCheck).length + (checksCounters(s, bed) ? 1 : 0) + (s.noMetrics ? 0 : 1);
}

async function runStep(run: Run, step: Step, index: number): Promise<void> {
  if (!isCheck(step)) return prepare(run, step);
  const { scenario, expect, tally } = run;
  const recorded = recordedAnswer(step);
  const expected = expect.step(scenario.id, index, step, recorded);
  const end = Date.now() + (step.eventually ?? 0);
  for (;;) {
    const got = await take(run, step);
    const different = compare(step, expected, got);
    if (different.length > 0 && Date.now() < end) {
      await pause(RETRY_MS);
      continue;
    }
    tally.checked(scenario.id, `step ${index + 1}`, expected, recorded, got, different);
    return;
  }
}

function compare(step: Step, { want, because }: Expected<Answer>, got: Answer): string[] {
  if (because === null && step.anyError && want.error && got.error) return [];
  return differences(want, got);
}

async function prepare({ server, redis }: Run, step: Step): Promise<void> {
  if (step.fresh !== undefined) await freshWindow(step.fresh, step.room);
  if (step.sleep !== undefined) await pause(step.sleep);
  for (const [name, text] of Object.entries(step.write ?? {})) server.write(name, text);
  for (const name of step.remove ?? []) server.remove(name);
  if (redis === null) return;
  for (const [name, value] of Object.entries(step.seed ?? {})) {
    await redis.client.set(keyOfName(name), value, 'EX', secondsOfName(name));
  }
  if (step.redis !== undefined) await REDIS_STEPS[step.redis](redis);
}

const REDIS_STEPS: Readonly<Record<NonNullable<Step['redis']>, (redis: OwnRedis) => void | Promise<void>>> = {
  stop: (redis) => redis.kill(),
  start: (redis) => redis.restart(),
  freeze: (redis) => redis.freeze(),
  thaw: (redis) => redis.thaw(),
};

async function take({ server, caller }: Run, step: Step): Promise<Answer> {
  if (step.http) return takeHttp(server, step.http);
  if (step.health !== undefined) return caller.health(step.health);
  const times = step.repeat ?? 1;
  const codes: string[] = [];
  let last: Answer = {};
  for (let n = 0; n < times; n++) {
    last = await caller.shouldRateLimit(step.request!);
    codes.push(last.error ? 'ERROR' : String(last.response?.overallCode ?? 'UNKNOWN'));
  }
  return times > 1 ? { ...last, codes: runLengths(codes) } : last;
}

/** ["OK", "OK", "OVER_LIMIT"] -> ["OK x2", "OVER_LIMIT x1"] */
function runLengths(codes: readonly string[]): string[] {
  const runs: { code: string; times: number }[] = [];
  for (const code of codes) {
    const last = runs.at(-1);
    if (last?.code === code) last.times++;
    else runs.push({ code, times: 1 });
  }
  return runs.map(({ code, times }) => `${code} x${times}`);
}

async function takeHttp(server: Server, ask: NonNullable<Step['http']>): Promise<Answer> {
  const body = ask.body === undefined || typeof ask.body === 'string' ? ask.body : JSON.stringify(ask.body);
  const { status, contentType, text } = await server.http({ ...ask, body });
  if (ask.as === 'status') return { reply: { status } };
  if (ask.as === 'json') return { reply: { status, contentType, ...parsed(text) } };
  if (ask.as === 'lines') {
    const picks = (ask.pick ?? ['.']).map((pattern) => new RegExp(pattern));
    const lines = text.split('\n').filter((line) => line !== '' && picks.some((pick) => pick.test(line)));
    return { reply: { status, lines: lines.sort() } };
  }
  return { reply: { status, ...(contentType === '' ? {} : { contentType }), text } };
}

function parsed(text: string): { json: unknown } | { text: string } {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { text };
  }
}

/** The counters a scenario left in Redis: no other keys of its domains, the right values, a time to live for each. */
async function checkCounters({ scenario, redis, expect, tally }: Run): Promise<void> {
  if (redis === null) return;
  const recorded = scenario.counters ?? {};
  const expected = expect.after(scenario.id, 'counters', recorded);
  const got: Record<string, unknown> = {};
  for (const [name, wanted] of Object.entries(expected.want)) {
    const value = await redis.client.get(keyOfName(name));
    if (value !== null) got[name] = await checkedValue(redis, name, value);
    // A look at a counter may create it or not: absent and 0 are equal.
    else if (wanted === 0) got[name] = 0;
  }
  const prefix = scenario.env?.CACHE_KEY_PREFIX ?? '';
  const starts = domainsOf(scenario).map((domain) => `${prefix}${domain}_`);
  const wanted = new Set(Object.keys(expected.want).flatMap((name) => [name, keyOfName(name)]));
  for (const key of await redis.client.keys('*')) {
    if (wanted.has(key) || !starts.some((start) => key.startsWith(start))) continue;
    const name = nameOfKey(key, await redis.client.ttl(key));
    // Counters of a second are gone before anyone could have recorded them.
    if (wanted.has(name) || name.endsWith('<SECOND>')) continue;
    got[name] = numberOf((await redis.client.get(key)) ?? '0');
  }
  tally.checked(scenario.id, 'counters', expected, recorded, got, differences(expected.want, got));
}

async function checkedValue(redis: OwnRedis, name: string, value: string): Promise<number | string> {
  const ttl = await redis.client.ttl(keyOfName(name));
  const timely = ttl >= 1 && ttl <= secondsOfName(name) + JITTER_SECONDS;
  return timely ? numberOf(value) : `${value} with a time to live of ${ttl} s`;
}

const numberOf = (text: string): number | string => (Number.isSafeInteger(Number(text)) ? Number(text) : text);

/** All scenarios of a server at once, since every reading of the Go service waits for its next flush. */
async function checkMetrics(under: Server, group: readonly Scenario[], { expect, tally }: Bed): Promise<void> {
  for (const end = Date.now() + METRICS_MS; ; await pause(RETRY_MS)) {
    const all = await under.metrics();
    const results = group.map((scenario) => {
      const recorded = scenario.metrics ?? {};
      const expected = expect.after(scenario.id, 'metrics', recorded);
      const got = Object.fromEntries(
        Object.entries(all).filter(
          ([series, value]) => isSeriesOf(scenario, series) && (value !== 0 || series in expected.want),
        ),
      );
      return { scenario, recorded, expected, got, different: differences(expected.want, got) };
    });
    if (results.some(({ different }) => different.length > 0) && Date.now() < end) continue;
    for (const { scenario, recorded, expected, got, different } of results) {
      tally.checked(scenario.id, 'metrics', expected, recorded, got, different);
    }
    return;
  }
}

/** The Go service's families only: weir has more of its own, which its other tests look at. */
function isSeriesOf(scenario: Scenario, series: string): boolean {
  if (!series.startsWith('ratelimit_service_')) return false;
  if (scenario.metricsMatch) return scenario.metricsMatch.some((pattern) => new RegExp(pattern).test(series));
  return domainsOf(scenario).some(
    (domain) =>
      series.includes(`domain="${domain.replace(/[:|]/g, '_')}"`) ||
      series.startsWith(`ratelimit_service_rate_limit_${domain.replace(/[^a-zA-Z0-9_]/g, '_')}_`),
  );
}

/** Those of its rules and those it asks for. */
function domainsOf({ rules = {}, steps }: Scenario): string[] {
  const ruled = Object.values(rules).flatMap((text) =>
    [...text.matchAll(/^domain: *"?([^"\n]+?)"? *$/gm)].map(([, domain]) => domain),
  );
  const asked = steps.map(({ request, http }) => request?.domain ?? (http?.body as { domain?: unknown })?.domain);
  return [...new Set([...ruled, ...asked].filter((it): it is string => typeof it === 'string' && it !== ''))];
}

async function freshWindow(unit: string, roomSeconds = 5): Promise<void> {
  const windowMs = WINDOW_SECONDS[unit]! * 1_000;
  const leftMs = windowMs - (Date.now() % windowMs);
  if (unit === 'SECOND') await pause(leftMs + 8);
  else if (leftMs < roomSeconds * 1_000) await pause(leftMs + 20);
}

/** A server's worth of hourly windows must not run into the end of the hour. */
async function roomInTheHour(): Promise<void> {
  const left = WINDOW_SECONDS.HOUR! - (Math.floor(Date.now() / 1_000) % WINDOW_SECONDS.HOUR!);
  if (left >= HOUR_ROOM_SECONDS) return;
  console.error(`waiting ${left} s for a fresh hour`);
  await pause(left * 1_000 + 200);
}
