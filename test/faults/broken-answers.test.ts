import { expect } from 'chai';
import { StoreError } from '../../src/core/ports.ts';
import { type RedisStore, redisStore } from '../../src/store/redis/redis-store.ts';
import { hit, NOW_US, used } from '../contract/hit.ts';
import { eventually } from '../support/eventually.ts';
import { type Fault, type FaultProxy, faultProxy, slowly, type Way } from '../support/fault-proxy.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { results } from './results.ts';

const ROUNDS = process.env.SOAK === '1' ? 100 : 4;
const COMMAND_TIMEOUT_MS = 50;

/** Once for the next answer; those after it pass. */
function once(proxy: FaultProxy, fault: Fault): void {
  proxy.fault = (piece, way) => {
    proxy.fault = null;
    fault(piece, way);
  };
}

const FAULTS: readonly (readonly [what: string, arm: (proxy: FaultProxy, held: (() => void)[]) => void])[] = [
  [
    'half a reply, and then a reset',
    (proxy) =>
      once(proxy, (piece, { hand, reset }) => {
        hand(piece.subarray(0, Math.floor(piece.length / 2)));
        setImmediate(reset);
      }),
  ],
  [
    'half a reply, and the other half long after its callers gave up',
    (proxy, held) => {
      const kept: [Buffer, Way][] = [];
      held.push(() => {
        proxy.fault = null;
        for (const [piece, way] of kept) way.hand(piece);
      });
      once(proxy, (piece, way) => {
        const half = Math.floor(piece.length / 2);
        way.hand(piece.subarray(0, half));
        kept.push([piece.subarray(half), way]);
        // What follows waits behind it, as on a wire.
        proxy.fault = (later, laterWay) => kept.push([later, laterWay]);
      });
    },
  ],
  [
    'garbage in place of a reply',
    (proxy) => once(proxy, (_, { hand }) => hand(Buffer.from('\x00\xff garbage \r\n\x16'))),
  ],
  [
    'garbage before a reply',
    (proxy) => once(proxy, (piece, { hand }) => hand(Buffer.concat([Buffer.from('?!\r\n'), piece]))),
  ],
  ['a reply that comes byte by byte', (proxy) => once(proxy, slowly)],
  [
    'a reset in the middle of a batch',
    (proxy) => {
      proxy.cutAfterBytes = 700;
    },
  ],
  [
    'a reply too many, of another shape',
    (proxy) => once(proxy, (piece, { hand }) => hand(`:7\r\n${piece.toString('latin1')}`)),
  ],
  [
    'a reply too many, of the shape of another',
    (proxy) => once(proxy, (piece, { hand }) => hand(`*2\r\n:1\r\n:2\r\n${piece.toString('latin1')}`)),
  ],
];

describe('broken answers', function () {
  this.timeout(120_000);
  let server: OwnRedis;
  let proxy: FaultProxy;
  let store: RedisStore;
  let next = 1;
  before(async function () {
    needsRedis(this);
    server = await ownRedis();
    proxy = await faultProxy(server.port);
    store = redisStore({
      url: `127.0.0.1:${proxy.port}`,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      stallTimeoutMs: 500,
      maxBatchHits: 10,
    });
    await store.start();
    await eventually('the store to be answered', () => store.everAnswered);
  });
  after(async () => {
    await store?.stop();
    await proxy?.close();
    await server?.stop();
  });

  /** Every key is new and every cost another, so that an answer tells whose it is. */
  async function callers(
    count: number,
  ): Promise<{ readonly own: number; readonly others: number; readonly failed: number }> {
    const told = { own: 0, others: 0, failed: 0 };
    const calls = Array.from({ length: count }, async () => {
      const costs = [next++, next++];
      try {
        const hits = costs.map((cost) => hit(`key_${cost}`, { cost }));
        const answer = used(await store.take(hits, 'always', NOW_US));
        if (answer.join() === costs.join()) told.own++;
        else told.others++;
      } catch (error) {
        expect(error).to.be.instanceOf(StoreError);
        told.failed++;
      }
    });
    await Promise.all(calls);
    return told;
  }

  for (const [what, arm] of FAULTS) {
    it(`(${what}) never give a caller the count of another, in ${ROUNDS} rounds of 60 callers`, async () => {
      const sum = { own: 0, failed: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const held: (() => void)[] = [];
        arm(proxy, held);
        const early = await callers(20);
        const late = callers(20);
        for (const release of held) release();
        const told = [early, await late];
        await eventually('20 callers of 20 to get their own count', async () => {
          told.push(await callers(20));
          return told[told.length - 1]?.own === 20;
        });
        expect(told.filter(({ others }) => others > 0)).to.deep.equal([]);
        for (const { own, failed } of told) {
          sum.own += own;
          sum.failed += failed;
        }
      }
      proxy.fault = null;
      results('5', `${what}: ${sum.own} callers got their own count, ${sum.failed} an error, 0 that of another`);
    });
  }
});
