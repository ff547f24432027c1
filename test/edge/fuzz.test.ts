import { Agent, request as httpRequest } from 'node:http';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import fc from 'fast-check';
import { rlsClient } from '../../src/grpc/client.ts';
import { SHOULD_RATE_LIMIT } from '../../src/grpc/should-rate-limit.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { jsonBody } from './json-request.ts';
import { type GrpcReply, type JsonReply, wrongInGrpc, wrongInJson } from './reply.ts';
import { RULES } from './rules.ts';
import { encode, type WireMessage, wireMessage } from './wire-request.ts';

/** Requests in all: half of them for each store, and of those one in four for /json. */
const RUNS = Number(process.env.FUZZ_RUNS || (process.env.SOAK === '1' ? 100_000 : 10_000));
/** Set it to the seed that a failure tells. */
const SEED = Number(process.env.FUZZ_SEED || Math.floor(Math.random() * 2 ** 31));
const CHUNK = 500;
const IN_FLIGHT = 64;
const SERIES_BOUND = 100;
const TIMEOUT_MS = 60_000 + RUNS * 20;
/** A few are enough to see what is wrong. */
const MOST_TOLD = 5;

const asIs = (bytes: Buffer): Buffer => bytes;

for (const store of ['redis', 'memory'] as const) {
  describe(`random requests, counted in ${store}`, function () {
    this.timeout(TIMEOUT_MS);
    let redis: OwnRedis | undefined;
    let weir: Service;
    let client: Client;
    let agent: Agent;
    const closers: (() => unknown)[] = [];

    before(async function () {
      if (store === 'redis') {
        needsRedis(this);
        redis = await ownRedis();
        closers.push(redis.stop);
      }
      const env = { REDIS_COMMAND_TIMEOUT: '20s', METRICS_MAX_SERIES_PER_DOMAIN: String(SERIES_BOUND) };
      weir = await service({ rules: { ...RULES, 'known.yaml': KNOWN }, redis: redis?.url, env });
      closers.push(weir.close);
      client = new Client(`127.0.0.1:${weir.grpcPort}`, credentials.createInsecure());
      agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
      closers.push(
        () => client.close(),
        () => agent.destroy(),
      );
    });

    after(async () => {
      for (const close of closers.reverse()) await close();
    });

    function call(bytes: Buffer): Promise<GrpcReply> {
      return new Promise((done) => {
        const deadline = Date.now() + TIMEOUT_MS;
        client.makeUnaryRequest(
          SHOULD_RATE_LIMIT,
          asIs,
          asIs,
          bytes,
          new Metadata(),
          { deadline },
          (error: ServiceError | null, reply?: Buffer) =>
            done({ code: error?.code ?? status.OK, details: error?.details ?? '', bytes: reply ?? null }),
        );
      });
    }

    function post(body: Buffer): Promise<JsonReply> {
      return new Promise((done, fail) => {
        const options = { host: '127.0.0.1', port: weir.httpPort, path: '/json', method: 'POST', agent };
        const outgoing = httpRequest(options, (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.once('end', () => done({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
        });
        outgoing.once('error', fail);
        outgoing.end(body);
      });
    }

    /** Asks with many at once, and tells what was wrong: at most a few of it, with what reproduces them. */
    async function fuzz<T>(
      arbitrary: fc.Arbitrary<T>,
      runs: number,
      ask: (it: T) => Promise<string>,
    ): Promise<string[]> {
      const wrong: string[] = [];
      for (let done = 0; done < runs && wrong.length === 0; done += CHUNK) {
        const seed = SEED + done;
        const inputs = fc.sample(arbitrary, { seed, numRuns: Math.min(CHUNK, runs - done) });
        let next = 0;
        const caller = async () => {
          while (next < inputs.length && wrong.length < MOST_TOLD) {
            const i = next++;
            const said = await ask(inputs[i]!);
            if (said !== '') wrong.push(`seed ${seed}, input ${i}: ${said}`);
          }
        };
        await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
      }
      return wrong;
    }

    const ofJson = Math.floor(RUNS / 8);
    const ofGrpc = Math.floor(RUNS / 2) - ofJson;

    it(`answers ${ofGrpc} random and broken messages over gRPC, each as it should`, async () => {
      const { pid } = weir.process();
      const codes: Record<string, number> = {};
      const wrong = await fuzz(wireMessage, ofGrpc, async (message: WireMessage) => {
        const reply = await call(message.bytes);
        const name = status[reply.code]!;
        codes[name] = (codes[name] ?? 0) + 1;
        const said = wrongInGrpc(message, reply);
        return said === '' ? '' : `${said}\n${message.bytes.subarray(0, 500).toString('hex')}`;
      });
      expect(wrong.join('\n')).to.equal('');
      // Were all refused, or none, the requests would prove little.
      expect(codes).to.include.keys('OK', 'INVALID_ARGUMENT', 'INTERNAL');
      expect([weir.process().running(), weir.process().pid]).to.deep.equal([true, pid]);
    });

    it(`answers ${ofJson} random and broken bodies of /json, each as it should`, async () => {
      const statuses: Record<number, number> = {};
      const wrong = await fuzz(jsonBody, ofJson, async (body) => {
        const reply = await post(body);
        statuses[reply.status] = (statuses[reply.status] ?? 0) + 1;
        const said = wrongInJson(body, reply);
        return said === '' ? '' : `${said}\n${body.subarray(0, 500)}`;
      });
      expect(wrong.join('\n')).to.equal('');
      expect(statuses).to.include.keys('200', '429', '400');
      expect(weir.process().running()).to.equal(true);
    });

    it('refuses a message of 4 MiB and a byte with RESOURCE_EXHAUSTED, a body with 413', async () => {
      const tooLarge = Buffer.alloc(4 * 1024 * 1024 + 1);
      expect((await call(tooLarge)).code).to.equal(status.RESOURCE_EXHAUSTED);
      expect((await post(tooLarge)).status).to.equal(413);
    });

    it('still answers a well-known request exactly: 3 of 4 hits pass', async () => {
      const caller = rlsClient(`127.0.0.1:${weir.grpcPort}`, { timeoutMs: 10_000 });
      closers.push(caller.close);
      const told: [string, number][] = [];
      for (let i = 0; i < 4; i++) {
        const { overallCode, statuses } = await caller.check({
          domain: 'known',
          descriptors: [{ entries: [{ key: 'user', value: 'ann' }] }],
        });
        told.push([overallCode, statuses[0]!.limitRemaining]);
      }
      expect(told).to.deep.equal([
        ['OK', 2],
        ['OK', 1],
        ['OK', 0],
        ['OVER_LIMIT', 0],
      ]);
    });

    it('counts a value of invalid UTF-8 byte for byte: the 4th hit of one is refused, the 1st of another passes', async () => {
      const ask = async (...value: number[]) => {
        const entry = { key: Buffer.from('user'), value: Buffer.from(value) };
        const one = { entries: [entry], limit: null, hits: null, refund: false, unknown: Buffer.alloc(0) };
        return call(encode({ domain: Buffer.from('known'), descriptors: [one], hits: null }));
      };
      const codes: (number | undefined)[] = [];
      // The second byte of a reply is overall_code, a field that is always written first.
      for (let i = 0; i < 4; i++) codes.push((await ask(0x61, 0xff)).bytes?.[1]);
      codes.push((await ask(0x61, 0xfe)).bytes?.[1]);
      expect(codes).to.deep.equal([1, 1, 1, 2, 1]);
    });

    it(`shows at most ${SERIES_BOUND} series a domain beyond those of its rules, and no defect`, async () => {
      const page = await (await fetch(`http://127.0.0.1:${weir.httpPort}/metrics`)).text();
      const perDomain = new Map<string, number>();
      for (const [, domain] of page.matchAll(/^ratelimit_service_rate_limit_total_hits\{domain="([^"]*)"/gm)) {
        perDomain.set(domain!, (perDomain.get(domain!) ?? 0) + 1);
      }
      expect([...perDomain.keys()]).to.include('fuzz');
      const rules = 12;
      for (const [domain, count] of perDomain) expect(count, domain).to.be.at.most(SERIES_BOUND + rules + 1);
      const domains = [...page.matchAll(/^ratelimit_decisions_total\{domain="([^"]*)",code="ok"/gm)].map(
        ([, it]) => it,
      );
      expect(
        domains.filter((it) => !['fuzz', '10.1.2.3', '10_1_2_3', 'known', '_unknown'].includes(it!)),
      ).to.deep.equal([]);
      expect(page).to.not.match(/^ratelimit_bugs_total [1-9]/m);
    });

    if (store === 'redis') {
      it('leaves no counter in Redis without a time to live', async () => {
        let cursor = '0';
        let counters = 0;
        const immortal: string[] = [];
        do {
          const [next, keys] = await redis!.client.scanBuffer(cursor, 'COUNT', 1_000);
          cursor = next.toString();
          counters += keys.length;
          const pipeline = redis!.client.pipeline();
          for (const key of keys) pipeline.ttl(key);
          for (const [i, [, ttl]] of ((await pipeline.exec()) ?? []).entries()) {
            if (ttl === -1) immortal.push(keys[i]!.subarray(0, 200).toString('latin1'));
          }
        } while (cursor !== '0');
        expect(immortal).to.deep.equal([]);
        expect(counters).to.be.greaterThan(100);
      });
    }
  });
}

const KNOWN = {
  domain: 'known',
  descriptors: [{ key: 'user', rate_limit: { unit: 'year', requests_per_unit: 3 } }],
};
