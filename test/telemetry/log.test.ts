import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { NoRulesError, type Problem, StoreError } from '../../src/core/ports.ts';
import { RequestError } from '../../src/core/request.ts';
import { type Log, type LogOptions, log } from '../../src/telemetry/log.ts';
import { BUILT } from '../support/built.ts';
import { rule } from '../support/rule.ts';
import { hit, loaded, request, ruleset } from './decisions.ts';

const PROBLEM: Problem = {
  file: 'limits.yaml',
  line: 4,
  column: 7,
  message: "config error, unknown key 'x'",
  hint: 'did you mean "key"?',
  source: 'x: secret-of-the-file',
};

function written(options: Partial<LogOptions> = {}): { it: Log; lines: string[]; second: () => void } {
  const lines: string[] = [];
  let due: (() => void)[] = [];
  const it = log({
    level: 'info',
    format: 'json',
    destination: { write: (line) => void lines.push(line) },
    delay: (_ms, task) => void due.push(task),
    ...options,
  });
  const second = () => {
    const now = due;
    due = [];
    for (const task of now) task();
  };
  return { it, lines, second };
}

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));
const down = () =>
  new StoreError('unavailable', 'the store is not reachable', new Error('connect ECONNREFUSED 10.0.0.9:6379'));

describe('log', () => {
  it('writes JSON lines with a level by name and an ISO time', () => {
    const { it: l, lines } = written();
    l.logger.info({ port: 8081 }, 'listening');
    const [line] = parsed(lines);
    expect(line).to.include({ level: 'info', port: 8081, msg: 'listening' });
    expect(line.time).to.match(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('writes text for people', () => {
    const { it: l, lines } = written({ format: 'text' });
    l.logger.warn('counting in memory');
    expect(lines.join('')).to.match(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: counting in memory\n$/);
  });

  it('takes the level names of the Go service in any letter case', () => {
    const accepted = ['TRACE', 'Debug', 'info', 'WARN', 'warning', 'Error', 'FATAL', 'panic'];
    const levels = accepted.map((level) => written({ level }).it.logger.level);
    expect(levels).to.deep.equal(['trace', 'debug', 'info', 'warn', 'warn', 'error', 'fatal', 'fatal']);
    expect(() => written({ level: 'loud' })).to.throw('expected one of trace, debug, info');
  });

  it('says which set went live', () => {
    const { it: l, lines } = written();
    l.rulesLoaded(loaded(ruleset(['shop'], [rule('shop.k')], 3), 2));
    expect(parsed(lines)[0]).to.include({ level: 'info', generation: 3, files: 2, domains: 1, rules: 1 });
  });

  it('says a refused set as the Go service does, with all problems as data and no line of the file', () => {
    const { it: l, lines } = written();
    l.rulesLoaded(loaded(ruleset([])));
    l.rulesLoaded({ ok: false, files: 1, problems: [PROBLEM] });
    const [, line] = parsed(lines);
    expect(line).to.include({
      level: 'error',
      msg: "rules refused, 1 problem, the last good set stays: limits.yaml: config error, unknown key 'x'",
    });
    const { source: _, ...told } = PROBLEM;
    expect(line.problems).to.deep.equal([told]);
  });

  it('does not speak of a last good set when there is none', () => {
    const { it: l, lines } = written();
    l.rulesLoaded({ ok: false, files: 1, problems: [PROBLEM, PROBLEM] });
    expect(parsed(lines)[0].msg).to.match(/^rules refused, 2 problems, there is no good set yet: limits\.yaml: /);
  });

  it('shows problems with line and caret in text', () => {
    const { it: l, lines } = written({
      format: 'text',
      formatProblem: ({ file, line }) => `${file}:${line} here\n  ^`,
    });
    l.rulesLoaded({ ok: false, files: 1, problems: [PROBLEM] });
    expect(lines.join('')).to.include("limits.yaml: config error, unknown key 'x'\nlimits.yaml:4 here\n  ^\n");
  });

  it('writes 10,000 store failures of a second as two lines, the second with its count', () => {
    const { it: l, lines, second } = written();
    for (let i = 0; i < 10_000; i++) l.storeFailed(request('shop'), [], down());
    second();
    expect(parsed(lines)).to.have.length(2);
    expect(parsed(lines)[0]).to.include({
      level: 'error',
      code: 'unavailable',
      count: 1,
      msg: 'store failed: the store is not reachable',
    });
    expect(parsed(lines)[1]).to.include({ count: 9999 });
  });

  it('keeps counter keys, addresses and the texts of callers out of lines from info up', () => {
    const { it: l, lines, second } = written();
    for (let i = 0; i < 2; i++) {
      l.storeFailed(request('secret-domain'), [{ hit: hit(), metric: 'shop.secret' }], down());
      l.requestRefused(request('secret-domain'), new RequestError('secret value'));
    }
    second();
    expect(lines.join('')).to.not.match(/secret|10\.0\.0\.9/);
  });

  it('tells the cause of a store failure at debug', () => {
    const { it: l, lines } = written({ level: 'debug' });
    l.storeFailed(request('shop'), [], down());
    expect(parsed(lines).at(-1)).to.include({ level: 'debug', cause: 'connect ECONNREFUSED 10.0.0.9:6379' });
  });

  it('warns once a second of requests that came before any rules', () => {
    const { it: l, lines, second } = written();
    for (let i = 0; i < 100; i++) l.requestRefused(request('shop'), new NoRulesError());
    second();
    expect(parsed(lines).map(({ level, count }) => [level, count])).to.deep.equal([
      ['warn', 1],
      ['warn', 99],
    ]);
  });

  it('tells a defect with its stack, once a second', () => {
    const { it: l, lines, second } = written();
    for (let i = 0; i < 50; i++) l.bug(new TypeError('x is not a function'));
    l.bug('thrown text');
    second();
    expect(parsed(lines).map(({ msg, count }) => [msg, count])).to.deep.equal([
      ['bug: x is not a function', 1],
      ['bug: thrown text', 1],
      ['bug: x is not a function', 49],
    ]);
    expect(parsed(lines)[0].stack).to.include('log.test.ts');
  });

  it('writes what it held back when it is closed', async () => {
    const { it: l, lines } = written();
    l.storeFailed(request('shop'), [], down());
    l.storeFailed(request('shop'), [], down());
    await l.close();
    expect(parsed(lines).map(({ count }) => count)).to.deep.equal([1, 1]);
  });

  it('writes JSON when standard output is a pipe, lets the process end, and loses no line', async function () {
    this.timeout(20_000);
    const module = new URL('telemetry/log.js', BUILT).href;
    const script = `import { log } from ${JSON.stringify(module)};
      const l = log({ level: 'info', format: null });
      l.bug(new Error('first')); l.bug(new Error('first'));
      l.logger.info('last'); await l.close();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    const [code] = await once(child, 'close');
    expect(code).to.equal(0);
    const told = Buffer.concat(parts)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg);
    expect(told).to.deep.equal(['bug: first', 'last', 'bug: first']);
  });
});
