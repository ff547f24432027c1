import { expect } from 'chai';
import { slotOf } from '../../src/store/redis/slot.ts';
import { eventually } from '../support/eventually.ts';
import { openLoop, percentile } from '../support/load.ts';
import { needsRedis, type OwnRedis } from '../support/redis.ts';
import { type OwnCluster, ownCluster } from '../support/redis-cluster.ts';
import { counts, type Serving, serving } from './bed.ts';
import { results } from './results.ts';

const SOAK = process.env.SOAK === '1';
const RATE = SOAK ? 500 : 100;
const RUNS = 5;
const RATIO_RATE = 200;
/** They take turns by the half second, so that both meet the same machine. The first two turns warm up. */
const TURN_CALLS = 100;
const TURNS = 18;
const MOST_RATIO = 2;

describe('a cluster under load', function () {
  this.timeout(180_000);
  let own: OwnCluster;
  let made: Serving;
  before(async function () {
    needsRedis(this);
    own = await ownCluster();
    // A slot without a master shall not take those of the others along.
    for (const { client } of own.nodes) await client.config('SET', 'cluster-require-full-coverage', 'no');
    // How late a machine may be that runs all of this is not the question here.
    made = await serving(own.url, { REDIS_TYPE: 'CLUSTER', REDIS_COMMAND_TIMEOUT: '2s' });
  });
  after(async () => {
    await made?.close();
    await own?.stop();
  });

  /** The key that weir counts a value by. */
  async function keyOf(value: string): Promise<string> {
    // The client of a node that was killed waits for it.
    const alive = own.nodes.filter(({ client }) => client.status === 'ready');
    const found = await Promise.all(alive.map(({ client }) => client.keys(`*phase_${value}_*`)));
    return found.flat()[0] as string;
  }

  async function counter(value: string): Promise<number> {
    return Number(await own.client.get(await keyOf(value)));
  }

  const atFullSize = SOAK ? it : () => {};
  atFullSize('answers 10 descriptors on different slots at most twice as late as one', async () => {
    const values = Array.from({ length: 10 }, (_, i) => `ratio_${i}`);
    await counts(made.patient, values);
    const keys = await Promise.all(values.map(keyOf));
    expect(new Set(keys.map(slotOf)).size).to.equal(10);
    const asksTen = (i: number): boolean => Math.floor(i / TURN_CALLS) % 2 === 1;
    const runs: { readonly one: number; readonly ten: number; readonly ratio: number }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const loop = openLoop(RATIO_RATE, (i) => counts(made.patient, asksTen(i) ? values : values.slice(0, 1)));
      await eventually('the calls', () => loop.begun() >= TURNS * TURN_CALLS, 60_000);
      const ended = await loop.finish();
      expect(ended.every(({ outcome }) => Array.isArray(outcome))).to.equal(true);
      const p99 = (ofTen: boolean): number =>
        percentile(
          ended.flatMap(({ tookMs }, i) => (i >= 2 * TURN_CALLS && asksTen(i) === ofTen ? [tookMs] : [])),
          0.99,
        );
      const [one, ten] = [p99(false), p99(true)];
      runs.push({ one, ten, ratio: ten / one });
    }
    const ratio = percentile(
      runs.map((run) => run.ratio),
      0.5,
    );
    const each = runs.map((run) => `${run.one.toFixed(1)} and ${run.ten.toFixed(1)}`).join(', ');
    results(
      '4',
      `p99 of one descriptor and of ten on different slots, in turns at ${RATIO_RATE} calls a second: ${each} ms`,
    );
    results('4', `ratio of the two, median of ${RUNS} runs: ${ratio.toFixed(2)}`);
    expect(ratio).to.be.at.most(MOST_RATIO);
  });

  it('counts every call once and fails none while a slot moves (ASK, TRYAGAIN, MOVED)', async () => {
    const values = ['{moved}a', '{moved}all'];
    const slot = slotOf('{moved}');
    const from = await own.masterOf(slot);
    const to = await own.masterOf((slot + 8_192) % 16_384);
    const ids = await Promise.all([from, to].map(async ({ client }) => String(await client.cluster('MYID'))));
    const [fromId, toId] = ids as [string, string];
    const loop = openLoop(RATE, (i) => counts(made.patient, i % 2 === 0 ? values : values.slice(1)));
    const more = (): Promise<unknown> => {
      const before = loop.begun();
      return eventually('more calls', () => loop.begun() > before + RATE / 2);
    };
    await more();
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId);
    await more();
    // One at a time, so that for a while half of the keys are here and half there.
    for (const key of (await from.client.cluster('GETKEYSINSLOT', slot, 100)) as string[]) {
      await from.client.call('MIGRATE', '127.0.0.1', String(to.port), key, '0', '1000');
    }
    await more();
    for (const { client } of [to, from]) await client.cluster('SETSLOT', slot, 'NODE', toId);
    await more();
    const ended = await loop.finish();
    const answers = ended.map(({ outcome }) => outcome);
    const told = answers.filter((answer) => Array.isArray(answer)) as number[][];
    const all = told.map((each) => each.at(-1) as number).sort((a, b) => a - b);
    const asked = (await refusals([from, to])).join(', ');

    expect(
      answers.filter((answer) => !Array.isArray(answer)),
      'failed calls',
    ).to.deep.equal([]);
    expect(all, 'every count told once').to.deep.equal(all.map((_, i) => i + 1));
    expect(await counter('{moved}all')).to.equal(ended.length);
    expect(asked).to.match(/ASK.*MOVED/);
    results(
      '4',
      `a slot moved under ${RATE} calls a second: ${ended.length} calls, 0 failed, the counter at ${all.at(-1)}, each count told once (${asked})`,
    );
  });

  it('fails only calls for the slots of a master that was killed, and only until its replica is promoted', async () => {
    await own.whole();
    const names = Array.from({ length: 40 }, (_, i) => `lost_${i}`);
    await counts(made.patient, names);
    const slots = await Promise.all(names.map(async (name) => slotOf(await keyOf(name))));
    const victim = await own.masterOf(slots[0] as number);
    const owners = await Promise.all(slots.map((slot) => own.masterOf(slot)));
    const lost = names[0] as string;
    const kept = names[owners.findIndex((owner) => owner !== victim)] as string;
    const beganMs = performance.now();
    const loop = openLoop(RATE, (i) => counts(made.patient, [i % 2 === 0 ? lost : kept]));
    await eventually('calls before', () => loop.begun() > RATE / 2);
    await victim.kill();
    const killedMs = performance.now() - beganMs;
    const heir = await eventually('a promotion', async () => {
      const now = await own.masterOf(slots[0] as number);
      return now !== victim && now;
    });
    const promotedMs = performance.now() - beganMs;
    const from = loop.begun();
    await eventually('a counted call', async () => Array.isArray(await counts(made.patient, ['again', lost])));
    await eventually('more calls', () => loop.begun() > from + 2 * RATE);
    const ended = await loop.finish();
    const ofLost = ended.filter((_, i) => i % 2 === 0);
    const ofKept = ended.filter((_, i) => i % 2 === 1);
    const failed = ofLost.filter(({ outcome }) => !Array.isArray(outcome));
    const first = ofLost.find(({ atMs, outcome }) => atMs >= killedMs && Array.isArray(outcome));
    const after = ofLost.slice(ofLost.lastIndexOf(failed.at(-1)!) + 1);
    const afterCounts = after.map(({ outcome }) => (outcome as number[])[0] as number).sort((a, b) => a - b);
    const firstMs = (first?.atMs ?? 0) + (first?.tookMs ?? 0) - promotedMs;
    const lastMs = Math.max(0, (failed.at(-1)?.atMs ?? 0) - promotedMs);

    expect(
      ofKept.filter(({ outcome }) => !Array.isArray(outcome)),
      'failed calls of other slots',
    ).to.deep.equal([]);
    expect(ofKept.map(({ outcome }) => (outcome as number[])[0]).sort((a, b) => Number(a) - Number(b))).to.deep.equal(
      ofKept.map((_, i) => i + 2),
    );
    expect(await counter(kept)).to.equal(ofKept.length + 1);
    expect(
      failed.map(({ outcome }) => outcome).filter((code) => code !== '14'),
      'strange answers',
    ).to.deep.equal([]);
    expect(failed.length).to.be.above(0);
    expect(new Set(afterCounts).size, 'every count told once after the promotion').to.equal(after.length);
    expect(await heir.client.get(await keyOf(lost))).to.equal(String(await counter(lost)));
    expect(made.weir.process().output()).to.not.match(/unhandled/i);
    results(
      '4',
      `kill -9 of a master under ${RATE} calls a second: promoted after ${Math.round(promotedMs - killedMs)} ms, the first counted call ended ${Math.round(firstMs)} ms after that, the last failed one began ${Math.round(lastMs)} ms after it; ${failed.length} of ${ofLost.length} calls of its slots failed, 0 of ${ofKept.length} of the others, whose counter is exact`,
    );
  });
});

/** `ASK 12`, `MOVED 3`: how often nodes sent callers elsewhere. */
async function refusals(nodes: readonly OwnRedis[]): Promise<string[]> {
  const stats = (await Promise.all(nodes.map(({ client }) => client.info('errorstats')))).join();
  return ['ASK', 'TRYAGAIN', 'MOVED']
    .map((word) => {
      const found = [...stats.matchAll(new RegExp(`errorstat_${word}:count=(\\d+)`, 'g'))];
      return [word, found.reduce((sum, [, count]) => sum + Number(count), 0)] as const;
    })
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${word} ${count}`);
}
