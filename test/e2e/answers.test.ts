import { expect } from 'chai';
import { bed, perWindow } from './bed.ts';
import { secondsLeft, WINDOW } from './window.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const USER = { request_headers: { header_name: 'x-user', descriptor_key: 'user' } };

/** The text of a reset that was computed between two moments. */
async function duringReset<T>(ask: () => Promise<T>): Promise<{ answer: T; resets: string[] }> {
  const before = secondsLeft();
  const answer = await ask();
  const after = secondsLeft();
  return { answer, resets: Array.from({ length: before - after + 1 }, (_, i) => String(after + i)) };
}

describe('what Envoy makes of the answer', () => {
  const b = bed({ store: 'redis' });

  const plain = b.route('plain', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(2) }],
  });
  it('tells x-ratelimit-* on 200, and retry-after only with the 429', async () => {
    for (const remaining of ['1', '0']) {
      const { answer, resets } = await duringReset(() => plain.get());
      expect(answer.status).to.equal(200);
      expect(answer.body).to.equal('upstream');
      expect(answer.headers).to.include({
        'x-ratelimit-limit': `2, 2;w=${WINDOW.seconds}`,
        'x-ratelimit-remaining': remaining,
      });
      expect(answer.headers['x-ratelimit-reset']).to.be.oneOf(resets);
      expect(answer.headers).not.to.have.any.keys('retry-after', 'x-envoy-ratelimited');
    }
    const { answer, resets } = await duringReset(() => plain.get());
    expect(answer.status).to.equal(429);
    expect(answer.body).to.equal('');
    expect(answer.headers).to.include({
      'x-ratelimit-limit': `2, 2;w=${WINDOW.seconds}`,
      'x-ratelimit-remaining': '0',
      'x-envoy-ratelimited': 'true',
    });
    expect(answer.headers['retry-after']).to.be.oneOf(resets);
    expect(answer.headers['x-ratelimit-reset']).to.equal(answer.headers['retry-after']);
    expect(await b.logged(answer.id)).to.include({ code: 429, details: 'request_rate_limited', flags: 'RL' });
  });

  const named = b.route('named', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(2, { name: 'per_named' }) }],
  });
  it("carries a limit's name in x-ratelimit-limit", async () => {
    const { headers } = await named.get();
    expect(headers['x-ratelimit-limit']).to.equal(`2, 2;w=${WINDOW.seconds};name="per_named"`);
  });

  const units = ['second', 'minute', 'hour', 'day', 'week', 'month', 'year'];
  const all = b.route('all-units', {
    limits: units.map((unit) => ({ actions: [{ generic_key: { descriptor_value: unit } }] })),
    rules: units.map((unit, i) => ({
      key: 'generic_key',
      value: unit,
      rate_limit: { unit, requests_per_unit: 1001 + i },
    })),
  });
  it('tells seven limits of all seven units in the order of the descriptors', async () => {
    const { headers } = await all.get();
    expect(headers).to.include({
      'x-ratelimit-limit':
        '1001, 1001;w=1, 1002;w=60, 1003;w=3600, 1004;w=86400, 1005;w=604800, 1006;w=2592000, 1007;w=31536000',
      'x-ratelimit-remaining': '1000',
      'x-ratelimit-reset': '1',
    });
  });

  const either = b.route('either', {
    limits: [{ actions: [GENERIC] }, { actions: [USER] }],
    rules: [
      { key: 'generic_key', value: 'all', rate_limit: perWindow(9) },
      { key: 'user', rate_limit: perWindow(4) },
    ],
  });
  it('speaks of the descriptor with the fewest requests left, and of no limit where none matches', async () => {
    const { headers } = await either.get({ headers: { 'x-user': 'ann' } });
    expect(headers).to.include({
      'x-ratelimit-limit': `4, 9;w=${WINDOW.seconds}, 4;w=${WINDOW.seconds}`,
      'x-ratelimit-remaining': '3',
    });
    expect((await unknown.get()).headers).not.to.have.property('x-ratelimit-limit');
  });
  const unknown = b.route('unknown', { limits: [{ actions: [GENERIC] }], domain: 'nobody-knows' });
});

describe('headers of the service itself', () => {
  const b = bed({ store: 'redis', env: { LIMIT_RESPONSE_HEADERS_ENABLED: 'true' } });

  const headed = b.route('headed', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(2) }],
  });
  it('adds ratelimit-limit, -remaining and -reset to 200 and to 429', async () => {
    for (const [status, remaining] of [
      [200, '1'],
      [200, '0'],
      [429, '0'],
    ] as const) {
      const { answer, resets } = await duringReset(() => headed.get());
      expect(answer.status).to.equal(status);
      expect(answer.headers).to.include({ 'ratelimit-limit': '2', 'ratelimit-remaining': remaining });
      expect(answer.headers['ratelimit-reset']).to.be.oneOf(resets);
    }
  });

  const binding = b.route('binding', {
    limits: [{ actions: [GENERIC] }, { actions: [USER] }],
    rules: [
      { key: 'generic_key', value: 'all', shadow_mode: true, rate_limit: perWindow(1) },
      { key: 'user', rate_limit: perWindow(3) },
    ],
  });
  it('describes the limit of 3 that binds and not the spent shadow rule of 1 beside it @weir', async () => {
    const remaining: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { headers } = await binding.get({ headers: { 'x-user': 'ann' } });
      remaining.push([headers['ratelimit-limit'], headers['ratelimit-remaining']]);
    }
    expect(remaining).to.deep.equal([
      ['3', '2'],
      ['3', '1'],
      ['3', '0'],
    ]);
  });
});

describe('dynamic metadata', () => {
  const b = bed({ store: 'redis', env: { RESPONSE_DYNAMIC_METADATA: 'true' } });

  const logged = b.route('logged', {
    limits: [
      { actions: [GENERIC, USER], hits_addend: { number: 2 } },
      { actions: [{ generic_key: { descriptor_value: 'other' } }] },
    ],
    rules: [
      {
        key: 'generic_key',
        value: 'all',
        descriptors: [{ key: 'user', rate_limit: perWindow(2), metadata: { tier: 'gold', depth: { level: 2 } } }],
      },
    ],
  });
  it("puts the descriptors and the passed rule's metadata into Envoy's access log @newer", async () => {
    const descriptors = [
      { entries: ['generic_key=all', 'user=ann'], hitsAddend: 2 },
      { entries: ['generic_key=other'] },
    ];
    const passed = await logged.get({ headers: { 'x-user': 'ann' } });
    expect((await b.logged(passed.id)).metadata).to.deep.equal({
      domain: 'logged',
      descriptors,
      metadata: { tier: 'gold', depth: { level: 2 } },
    });
    const refused = await logged.get({ headers: { 'x-user': 'ann' } });
    expect(refused.status).to.equal(429);
    expect((await b.logged(refused.id)).metadata).to.deep.equal({ domain: 'logged', descriptors });
  });
});
