import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { board } from '../demo/board.ts';
import { secondsLeft } from '../e2e/window.ts';
import { type Questions, questions } from '../receivers/prometheus.ts';
import { needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { skip } from '../support/skip.ts';
import { DASHBOARD, DRAWN, filledIn } from './dashboard.ts';
import { type Foreground, foreground } from './foreground.ts';
import { ALERTS, RECORDINGS } from './rules.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What `make demo` does once weir is built. */
const COMMAND = [process.execPath, '--import=tsx', 'test/demo/main.ts'] as const;
const READY = 'Ctrl-C ends all of it.';
const START_MS = 120_000;
const DATA_MS = 90_000;
/** What Grafana puts into the queries for a dashboard that shows everything; the demo is scraped every second. */
const SHOWN = { job: 'weir', domain: '.+', __rate_interval: '10s', __range: '5m' };

const run = promisify(execFile);
const demo = (env: NodeJS.ProcessEnv = process.env): Foreground =>
  foreground(COMMAND[0], COMMAND.slice(1), { cwd: ROOT, env });

describe('make demo', () => {
  let shown: Foreground;
  let prometheus: Questions;
  const printed = (name: string): string => new RegExp(`^  ${name} +(http://\\S+)`, 'm').exec(shown.output())![1]!;

  before(async function () {
    this.timeout(START_MS);
    needEnvoy(this);
    needsRedis(this);
    if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
    shown = demo();
    await ready(shown);
    prometheus = questions(printed('Prometheus'));
  });
  after(async () => shown?.close());

  it('runs the command that is tested here', async () => {
    const { stdout } = await run('make', ['--dry-run', 'demo'], { cwd: ROOT });
    expect(stdout).to.include(COMMAND.slice(1).join(' '));
  });

  it('prints addresses, and each of them answers', async () => {
    const [told = ''] = shown.output().split('Some visitors');
    const addresses = [...new Set(told.match(/http:\/\/127\.0\.0\.1:\d+[\w/]*/g))];
    expect(addresses).to.have.lengthOf.at.least(6);
    for (const address of addresses) expect((await fetch(address)).status, address).to.be.below(500);
  });

  it('has Prometheus tell after 20 s what was allowed and what was denied in shop and in api', async function () {
    this.timeout(DATA_MS * 2);
    await eventually(
      '20 scrapes, a second apart',
      async () => (await prometheus.samples('count_over_time(up[5m]) >= 20')).length === 1,
      DATA_MS,
    );
    await eventually(
      'both answers in both domains',
      async () => {
        const told = await prometheus.samples('sum by (domain, code) (ratelimit_decisions_total) > 0');
        const seen = told.map(({ labels }) => `${labels.domain} ${labels.code}`);
        return ['shop ok', 'shop over_limit', 'api ok', 'api over_limit'].every((it) => seen.includes(it));
      },
      DATA_MS,
    );
  });

  it('shows allowed, denied and who is over a limit most, as Prometheus tells it', async function () {
    this.timeout(DATA_MS);
    const lines = await eventually(
      'somebody to be over a limit',
      async () => {
        const told = await board(prometheus);
        return told.at(-1)?.includes('api/plan_pro/team_dora') ? told : undefined;
      },
      DATA_MS,
    );
    expect(lines.slice(0, -1).map((it) => it.trim().split(/ +/)[0])).to.deep.equal(['domain', 'api', 'shop']);
  });

  it('shows the 11th request to /shop refused by the command that it prints', async function () {
    this.timeout(START_MS);
    await eventually('a minute with time left', () => secondsLeft({ unit: 'hour', seconds: 60 }) > 15, 60_000);
    const [command = ''] = shown.output().match(/^ {2}for i in .*\/shop; done$/m) ?? [];
    const { stdout } = await run('sh', ['-c', command]);
    expect(stdout.trim().split('\n')).to.deep.equal([...new Array(10).fill('200'), '429']);
  });

  it('evaluates each rule of deploy/prometheus without an error', async function () {
    this.timeout(DATA_MS);
    type Evaluated = { readonly name: string; readonly health: string; readonly lastError?: string };
    const evaluated = await eventually(
      'all rules to be evaluated',
      async () => {
        const { groups } = await prometheus.api<{ groups: readonly { readonly rules: readonly Evaluated[] }[] }>(
          'rules',
        );
        const rules = groups.flatMap((group) => group.rules);
        return rules.some(({ health }) => health === 'unknown') ? undefined : rules;
      },
      DATA_MS,
    );
    expect(evaluated.filter(({ health }) => health !== 'ok')).to.deep.equal([]);
    expect(evaluated).to.have.lengthOf(ALERTS.length + RECORDINGS.length);
  });

  describe('gives data to the dashboard', () => {
    for (const { title, targets = [] } of DRAWN) {
      it(`for "${title}"`, async function () {
        this.timeout((DATA_MS + START_MS) * targets.length);
        for (const { expr } of targets) {
          for (const domain of expr.includes('$domain') ? ['.+', 'api'] : ['.+']) {
            const query = filledIn(expr, { ...SHOWN, domain });
            const values = await eventually(`data of ${query}`, () => numbers(prometheus, query), DATA_MS);
            expect(values).to.satisfy((all: readonly number[]) => all.every((value) => value >= 0));
          }
        }
      });
    }

    it('for the variables job and domain', async () => {
      for (const [variable, values] of [
        ['job', ['weir']],
        ['domain', ['api', 'shop']],
      ] as const) {
        const { definition = '' } = DASHBOARD.templating.list.find(({ name }) => name === variable)!;
        const [, series = '', label] = /^label_values\((.*), (\w+)\)$/.exec(definition)!;
        const told = await prometheus.api<string[]>(`label/${label}/values`, { 'match[]': filledIn(series, SHOWN) });
        expect(told, variable).to.have.members(values);
      }
    });
  });

  // A suite within, as those run after all cases around them.
  describe('at Ctrl-C', () => {
    it('ends with 0, and leaves no process and no open port', async function () {
      this.timeout(START_MS);
      const ports = [...new Set(shown.output().match(/127\.0\.0\.1:\d+/g))].map((it) => Number(it.split(':')[1]));
      expect(ports).to.have.lengthOf.at.least(7);
      shown.interrupt();
      expect(await shown.ended).to.deep.equal({ code: 0, signal: null });
      expect(shown.output().trimEnd().split('\n').slice(-2)).to.deep.equal(['', 'stopping']);
      await shown.gone();
      for (const port of ports) expect(await isOpen(port), String(port)).to.equal(false);
    });
  });
});

describe('make demo that is ended or cannot start', () => {
  let shown: Foreground | undefined;
  before(function () {
    needEnvoy(this);
    needsRedis(this);
    if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
  });
  afterEach(async () => shown?.close());

  it('ends its children itself when it alone gets SIGTERM', async function () {
    this.timeout(START_MS);
    shown = demo();
    await ready(shown);
    shown.signal('SIGTERM');
    expect(await shown.ended).to.deep.equal({ code: 0, signal: null });
    await shown.gone();
  });

  it('ends with 0 and leaves nothing when it is interrupted while it starts', async function () {
    this.timeout(START_MS);
    shown = demo();
    await eventually('it to begin', () => shown?.output().includes('starting Redis'), START_MS);
    shown.interrupt();
    expect(await shown.ended).to.deep.equal({ code: 0, signal: null });
    await shown.gone();
    expect(shown.output()).to.not.include(READY);
  });

  it('says which parts are missing, and ends with 1', async function () {
    this.timeout(START_MS);
    const dir = await mkdtemp(join(tmpdir(), 'weir-demo-'));
    try {
      await symlink('/bin/sh', join(dir, 'sh'));
      shown = demo({ PATH: dir, HOME: dir, XDG_CACHE_HOME: dir });
      expect(await shown.ended).to.deep.equal({ code: 1, signal: null });
      expect(shown.output()).to.include('redis-server is missing');
      expect(shown.output()).to.include('prometheus is missing');
      expect(shown.output()).to.include('Envoy could not be installed');
      expect(shown.output()).to.not.include('WITHOUT_');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

async function ready(of: Foreground): Promise<void> {
  let over = false;
  void of.ended.then(() => {
    over = true;
  });
  await eventually('the demo to run', () => over || of.output().includes(READY), START_MS);
  if (over) throw new Error(`the demo has ended:\n${of.output()}`);
}

/** undefined while there are none. NaN, which a quotient of nothing by nothing gives, is none. */
async function numbers(prometheus: Questions, query: string): Promise<readonly number[] | undefined> {
  const values = (await prometheus.samples(query)).map(({ value }) => value).filter((value) => !Number.isNaN(value));
  return values.length === 0 ? undefined : values;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
