import { expect } from 'chai';
import { read } from '../house/tree.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';

const PAGE = read('docs/sizing.md');
const RESULTS = read('test/bench/RESULTS.md');
/** Machines differ, and loads on them: the page is wrong when a figure has doubled or halved. */
const FACTOR = 2;

/** The cells of the table whose heading begins so, without the heading. */
function table(heading: string): readonly (readonly string[])[] {
  const lines =
    PAGE.slice(PAGE.indexOf(`| ${heading}`))
      .split('\n\n')[0]
      ?.split('\n') ?? [];
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const number = (cell = ''): number => Number(/[\d,.]+/.exec(cell)?.[0].replaceAll(',', ''));
const measured = (row: RegExp): number => Number(row.exec(RESULTS)?.[1]);
/** Rounded up, but not for what doubles make of a whole number. */
const up = (sum: number): number => Math.ceil(sum - 1e-9);
const masters = (rate: number, us: number): number => up((rate * us) / 1e6 / 0.6);
const cores = (rate: number, us: number): number => up((rate * us) / 1e6 / 0.7);

describe('docs/sizing.md', () => {
  const [wire, grpcJs, fixed, sliding, bucket, two] = table('| measured').map(([, cell]) => number(cell)) as number[];

  it('has figures that the bench measured, give or take a factor of 2', () => {
    const pairs: readonly (readonly [number | undefined, number])[] = [
      [wire, measured(/^\| Redis store on wire \| ([\d.]+)/m)],
      [grpcJs, measured(/^\| Redis store \| ([\d.]+)/m)],
      [fixed, measured(/^\| fixed_window \|[^|]*\|[^|]*\| ([\d.]+)/m)],
      [sliding, measured(/^\| sliding_window \|[^|]*\|[^|]*\| ([\d.]+)/m)],
      [bucket, measured(/^\| token_bucket \|[^|]*\|[^|]*\| ([\d.]+)/m)],
      [two, measured(/^\| rate_limits \|[^|]*\|[^|]*\| ([\d.]+)/m)],
    ];
    for (const [told, found] of pairs) expect(told).to.be.within(found / FACTOR, found * FACTOR);
  });

  it('counts right from decisions to cores and masters', () => {
    const rows = table('Decisions a second').map((row) => row.map(number));
    expect(rows).to.have.length(4);
    for (const [rate = 0, ...told] of rows) {
      const sums = [cores(rate, wire!), cores(rate, grpcJs!), masters(rate, fixed!), masters(rate, sliding!)];
      expect(told, `${rate}`).to.deep.equal(sums);
    }
    expect(PAGE)
      .to.include(`then ${cores(1e6, wire!)} cores of weir`)
      .and.include(`of ${masters(1e6, fixed!)} masters`);
  });

  it('says of what is not measured that it is an extrapolation', () => {
    expect(PAGE).to.match(/is an \*\*extrapolation\*\*: nobody has run a million decisions a second/);
  });

  it('counts right from values to keys and memory', () => {
    const [[, , plain] = []] = table('| `MEMORY USAGE`');
    const SECONDS: Readonly<Record<string, number>> = { minute: 60, second: 1, day: 86_400 };
    for (const [limit = '', values = '', keys, memory] of table('Limit | Distinct')) {
      const window = SECONDS[/ a (\w+)$/.exec(values)?.[1] ?? ''] ?? 0;
      const jitter = number(/MAX_SECONDS=(\d+)/.exec(limit)?.[1] ?? '300');
      const found = Math.round((number(values) * (window + jitter / 2)) / window);
      expect([number(keys), number(memory)], limit).to.deep.equal([found, Math.round((found * number(plain)) / 1e6)]);
    }
  });

  it('tells what 60,000 keys of each kind take in a real Redis, within 10 bytes a key', async function () {
    needsRedis(this);
    const redis = await ownRedis();
    const KEYS = 60_000;
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
    try {
      const named = [...RESULTS.matchAll(/`([^`]*u0000001[^`]*)` (\d+) B/g)];
      for (const [, alone, all] of table('| `MEMORY USAGE`')) {
        const key = named.find(([, , bytes]) => Number(bytes) === number(alone))?.[1]?.replaceAll('\\|', '|') ?? '';
        // What a full bucket holds is as long as a number of Lua with all its digits.
        const value = key.includes('bucket') ? '1795273200123456.789012' : '123456';
        await redis.client.flushall();
        const before = await used();
        const batch = redis.client.pipeline();
        for (let i = 0; i < KEYS; i++) {
          batch.set(key.replace('u0000001', `u${String(i).padStart(7, '0')}`), value, 'EX', 3_600);
        }
        await batch.exec();
        expect(((await used()) - before) / KEYS, key).to.be.closeTo(number(all), 10);
      }
    } finally {
      await redis.stop();
    }
  });
});
