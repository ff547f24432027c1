import { expect } from 'chai';
import type { OwnProcess } from '../support/process.ts';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed, listening } from './bed.ts';
import { type Copy, copy, needsPython } from './copy.ts';
import { get, proxy } from './proxy.ts';

const EXAMPLE = '3-flask';
const [ANN, BOB] = ['127.0.0.2', '127.0.0.3'];

describe('the Flask API', function () {
  this.timeout(300_000);
  let files: Copy;
  let ours: Bed;
  let api: OwnProcess | undefined;
  let front: Awaited<ReturnType<typeof proxy>> | undefined;

  before(async function () {
    needsRedis(this);
    files = await copy();
    await needsPython(this, files);
  });
  after(() => files?.remove());
  beforeEach(async () => {
    ours = await bed(files, EXAMPLE);
  });
  afterEach(async () => {
    await front?.close();
    await api?.stop();
    [front, api] = [undefined, undefined];
    await ours.close();
  });

  /** The port of the API itself. */
  async function started(file: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
    const { port, process } = await listening((PORT) =>
      files.startPython(EXAMPLE, file, { ...ours.env, ...env, PORT }),
    );
    api = process;
    return port;
  }
  async function behindProxy(file: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
    front = await proxy(await started(file, env));
    return front.port;
  }
  /** The statuses of so many requests. */
  async function asked(port: number, times: number, from: string, forged?: (n: number) => string): Promise<number[]> {
    const statuses: number[] = [];
    for (let n = 0; n < times; n++) {
      const headers = forged === undefined ? {} : { 'X-Forwarded-For': forged(n) };
      statuses.push((await get(port, '/', headers, from)).status);
    }
    return statuses;
  }
  const five = [200, 200, 200, 200, 200];

  describe('in its naive form behind a proxy', () => {
    it('refuses the first request of Bob when Ann has made 5', async () => {
      const port = await behindProxy('naive.py');
      expect(await asked(port, 5, ANN)).to.deep.equal(five);
      expect(await asked(port, 1, BOB)).to.deep.equal([429]);
    });

    it('answers 500 when Redis is down', async () => {
      const port = await behindProxy('naive.py');
      await ours.redis.kill();
      expect(await asked(port, 1, ANN)).to.deep.equal([500]);
    });

    it('serves Ann 20 of 20 times when it believes X-Forwarded-For and she writes another address each time', async () => {
      const port = await behindProxy('naive.py', { BELIEVE: '1' });
      expect(await asked(port, 20, ANN, (n) => `10.0.0.${n}`)).to.deep.equal(Array(20).fill(200));
    });
  });

  it('behind one trusted proxy serves Ann and Bob 5 times each, whatever Ann writes into X-Forwarded-For', async () => {
    const port = await behindProxy('app.py', { TRUSTED_HOPS: '1' });
    expect(await asked(port, 7, ANN, (n) => `10.0.0.${n}`)).to.deep.equal([...five, 429, 429]);
    expect(await asked(port, 6, BOB)).to.deep.equal([...five, 429]);
  });

  it('without a proxy does not read X-Forwarded-For', async () => {
    const port = await started('app.py');
    expect(await asked(port, 6, ANN, (n) => `10.0.0.${n}`)).to.deep.equal([...five, 429]);
  });

  it('answers 429 with JSON that says how long to wait, as Retry-After does', async () => {
    const port = await started('app.py');
    await asked(port, 5, ANN);
    const { status, headers, body } = await get(port, '/', {}, ANN);
    expect(status).to.equal(429);
    expect(headers['content-type']).to.equal('application/json');
    const refusal = JSON.parse(body) as Record<string, unknown>;
    expect(refusal).to.include({ error: 'rate_limited', limit: 5, remaining: 0 });
    expect(headers['retry-after']).to.equal(String(refusal.retry_after_seconds));
    expect(refusal.message).to.equal(`Too many requests. Try again in ${headers['retry-after']} seconds.`);
  });

  it('counts an IPv6 customer by the /64, and an IPv4 address written as IPv6 as itself', async () => {
    const code = `
from types import SimpleNamespace
from app import client_of
for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:10.0.0.1", "10.0.0.1", "", None):
    print(client_of(SimpleNamespace(remote_addr=address)))
`;
    const same = '2001:db8:1:2::/64';
    expect((await files.python(EXAMPLE, code)).split('\n')).to.deep.equal([
      ...[same, same, '2001:db8:1:3::/64', '10.0.0.1', '10.0.0.1', 'unknown', 'unknown'],
    ]);
  });

  for (const [part, kill] of [
    ['Redis', () => ours.redis.kill()],
    ['weir', () => ours.weir.kill()],
  ] as const) {
    it(`serves without counting when ${part} is down, or answers 503 with JSON under ON_FAILURE=deny`, async () => {
      await kill();
      const port = await started('app.py');
      expect(await asked(port, 6, ANN)).to.deep.equal([...five, 200]);
      await api?.stop();

      const { status, headers, body } = await get(await started('app.py', { ON_FAILURE: 'deny' }), '/');
      expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
      expect(JSON.parse(body)).to.include({ error: 'rate_limit_unavailable' });
    });
  }
});
