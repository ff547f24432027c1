import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  CancelledError,
  type ConnectOptions,
  connect,
  DeadlineError,
  RequestError,
  ServiceError,
  UnavailableError,
  type Weir,
} from '../src/weir.ts';
import { fake, relay, silence } from './fake.ts';
import { certificates, eventually, freePort, type Service, service } from './service.ts';

/** Generous, since the machine may be busy; what deadlines do has a test of its own. */
const PATIENT = { timeoutMs: 20_000, onFailure: 'raise' } as const;

describe('a client', () => {
  let shop: Service;
  let weir: Weir;
  before(async () => {
    shop = await service();
    weir = connect(shop.address, PATIENT);
    await weir.ready(20_000);
  });
  after(async () => {
    weir.close();
    await shop.stop();
  });

  it('is told of 3 allowed requests and of the 4th refused', async () => {
    const left = [];
    for (let i = 0; i < 3; i++) {
      const { allowed, remaining } = await weir.check('shop', [{ user: 'ann' }]);
      left.push([allowed, remaining]);
    }
    assert.deepEqual(left, [
      [true, 2],
      [true, 1],
      [true, 0],
    ]);
    const refused = await weir.check('shop', [{ user: 'ann' }]);
    assert.equal(refused.allowed, false);
    assert.equal(refused.decidedBy, 'service');
    assert.deepEqual(refused.limit, { requests: 3, unit: 'year', windowSeconds: 31_536_000, name: 'per-user' });
    const seconds = refused.resetSeconds ?? 0;
    assert.ok(seconds >= 1 && seconds <= 31_536_000, `resets in ${seconds} s`);
    assert.ok(Math.abs((refused.resetAt?.getTime() ?? 0) - Date.now() - seconds * 1_000) < 60_000);
    assert.deepEqual(refused.headers, {
      'RateLimit-Policy': '"per-user";q=3;w=31536000',
      RateLimit: `"per-user";r=0;t=${seconds}`,
      'RateLimit-Limit': '3',
      'RateLimit-Remaining': '0',
      'RateLimit-Reset': String(seconds),
      'Retry-After': String(seconds),
    });
  });

  it('charges nothing for 0 hits, 2 for 2, and takes 1 of them back', async () => {
    const of = (hits: number) => weir.check('shop', [{ user: 'bob' }], hits).then(({ remaining }) => remaining);
    assert.deepEqual([await of(0), await of(2), await of(0), await of(-1), await of(0)], [3, 1, 1, 2, 2]);
  });

  it('charges each descriptor its own hits, and tells of the limit with the fewest left', async () => {
    const answer = await weir.check('shop', [
      { entries: { user: 'cid' }, hits: 0 },
      { entries: [['path', '/cid']], hits: 98 },
      { slow: 'cid' },
      { free: 'cid' },
      { nobody: 'limits' },
    ]);
    assert.deepEqual(
      answer.statuses.map(({ remaining, limit }) => [remaining, limit?.windowSeconds ?? null]),
      [
        [3, 31_536_000],
        [2, 31_536_000],
        [4, 63_072_000],
        [0xffff_ffff, null],
        [0, null],
      ],
    );
    assert.equal(answer.limit?.unit, 'year');
    assert.equal(
      answer.headers['RateLimit-Policy'],
      '"per-user";q=3;w=31536000, "year";q=100;w=31536000, "slow";q=5;w=63072000',
    );
  });

  it('brings a limit of 7 a minute along', async () => {
    const { limit } = await weir.check('shop', [{ entries: { user: 'eve' }, limit: { requests: 7, unit: 'minute' } }]);
    assert.deepEqual([limit?.requests, limit?.unit], [7, 'minute']);
  });

  it('refuses to ask what nobody could decide', async () => {
    const policy = { onFailure: 'allow' } as const;
    const asked: [string, Parameters<Weir['check']>[1], number][] = [
      ['', [{ user: 'x' }], 1],
      ['shop', [], 1],
      ['shop', [{}], 1],
      ['shop', [{ user: 'x' }], 1.5],
      ['shop', [{ user: 'x', 7: 'y' }], 1],
      ['shop', [{ user: 7 as unknown as string }], 1],
      [undefined as unknown as string, [{ user: 'x' }], 1],
      ['shop', [[[7 as unknown as string, 'x']]], 1],
      ['shop', [{ user: '\ud800' }], 1],
      ['shop\udfff', [{ user: 'x' }], 1],
      ['shop', [{ entries: { user: 'x' }, limit: { requests: -1, unit: 'day' } }], 1],
      ['shop', [{ user: 'x'.repeat(3_000_000) }], 1],
      ['shop', Array(3).fill({ user: 'x'.repeat(2_000_000) }), 1],
      ['shop', Array(200_000).fill({ user: 'x'.repeat(10) }), 1],
    ];
    for (const [domain, descriptors, hits] of asked) {
      await assert.rejects(weir.check(domain, descriptors, hits, policy), RequestError);
    }
  });

  it('answers 100 checks at once, and 100 more, over one connection', async () => {
    const between = await relay(shop.address);
    const counted = connect(between.address, PATIENT);
    try {
      for (const half of [0, 1]) {
        const asked = Array.from({ length: 100 }, () => counted.check('shop', [{ path: `/${half}` }]));
        const left = (await Promise.all(asked)).map(({ remaining }) => remaining ?? 0);
        assert.deepEqual(
          left.sort((a, b) => a - b),
          [...Array(100).keys()],
        );
      }
      assert.equal(between.count(), 1);
    } finally {
      counted.close();
      between.close();
    }
  });

  it('asks nothing with a signal that is aborted already', async () => {
    const asked = weir.check('shop', [{ user: 'fay' }], 3, { signal: AbortSignal.abort(), onFailure: 'allow' });
    await assert.rejects(asked, CancelledError);
    assert.equal((await weir.check('shop', [{ user: 'fay' }], 0)).remaining, 3);
  });

  it('lets a closed client ask nothing', async () => {
    const closed = connect(shop.address, PATIENT);
    closed.close();
    closed.close();
    await assert.rejects(closed.check('shop', [{ user: 'x' }]), UnavailableError);
    await assert.rejects(closed.ready(), UnavailableError);
  });

  it('knows 3 failure policies', async () => {
    const onFailure = 'Allow' as 'allow';
    assert.throws(() => connect(shop.address, { onFailure }), /failure policy/);
    await assert.rejects(weir.check('shop', [{ user: 'x' }], 1, { onFailure }), /failure policy/);
  });
});

describe('a client of a service that fails', () => {
  const clients: Weir[] = [];
  const open = (address: string | string[], options: ConnectOptions): Weir => {
    const weir = connect(address, options);
    clients.push(weir);
    return weir;
  };
  afterEach(() => {
    for (const weir of clients.splice(0)) weir.close();
  });

  it('allows, denies or raises as it is told', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const weir = open(nobody, { timeoutMs: 5_000 });
    const ask = (options: object) => weir.check('shop', [{ user: 'x' }], 1, options);
    const allowed = await ask({});
    assert.deepEqual([allowed.allowed, allowed.decidedBy, allowed.headers], [true, 'failure_policy', {}]);
    assert.ok(allowed.failure instanceof UnavailableError);
    assert.equal((await ask({ onFailure: 'deny' })).allowed, false);
    await assert.rejects(ask({ onFailure: 'raise' }), UnavailableError);
  });

  it('is not kept waiting by one that says nothing', async () => {
    const mute = await silence();
    try {
      const weir = open(mute.address, { timeoutMs: 100, onFailure: 'raise' });
      await assert.rejects(weir.check('shop', [{ user: 'x' }]), DeadlineError);
      const gone = new AbortController();
      const asked = weir.check('shop', [{ user: 'x' }], 1, { timeoutMs: 60_000, signal: gone.signal });
      gone.abort();
      await assert.rejects(asked, CancelledError);
      await assert.rejects(weir.ready(50), UnavailableError);
    } finally {
      mute.close();
    }
  });

  it('takes the other of 2 servers when one has stopped, and is answered 20 times more', async () => {
    const [first, second] = [await service(), await service()];
    try {
      const weir = open([first.address, second.address], PATIENT);
      await weir.ready(20_000);
      await eventually('both to be asked', async () => {
        await weir.check('shop', [{ path: '/two' }], 1);
        return (await first.checks()) > 0 && (await second.checks()) > 0;
      });
      await first.stop();
      await eventually('a check to be answered', async () => (await weir.check('shop', [{ path: '/two' }])).allowed);
      for (let i = 0; i < 20; i++) assert.ok((await weir.check('shop', [{ path: '/two' }], 0)).allowed);
      assert.equal(weir.health(), 'serving');
    } finally {
      await first.stop();
      await second.stop();
    }
  });

  it('comes back to a server that was away', async () => {
    const port = String(await freePort());
    const weir = open(`127.0.0.1:${port}`, PATIENT);
    await assert.rejects(weir.check('shop', [{ user: 'x' }]), UnavailableError);
    const late = await service({ GRPC_PORT: port });
    try {
      await weir.ready(20_000);
      assert.ok((await weir.check('shop', [{ user: 'x' }])).allowed);
    } finally {
      await late.stop();
    }
  });

  it('leaves a server alone that does not serve, and asks it again when it does', async () => {
    const drained = await fake();
    try {
      drained.setServing(false);
      const weir = open(drained.address, PATIENT);
      await eventually('it to be known', () => weir.health() === 'not_serving');
      await assert.rejects(weir.check('shop', [{ user: 'x' }]), /no server is serving/);
      assert.equal(drained.asked.length, 0);
      drained.setServing(true);
      await weir.ready(20_000);
      assert.ok((await weir.check('shop', [{ user: 'x' }])).allowed);
    } finally {
      drained.close();
    }
  });

  it('hears again of the health of a server that had ended the watch', async () => {
    const hasty = await fake();
    try {
      hasty.setServing(false);
      const weir = open(hasty.address, PATIENT);
      await eventually('it to be known', () => weir.health() === 'not_serving');
      hasty.endWatches();
      hasty.setServing(true);
      await weir.ready(20_000);
    } finally {
      hasty.close();
    }
  });

  it('asks one that knows no health check', async () => {
    const plain = await fake({ healthCheck: false });
    try {
      const weir = open(plain.address, PATIENT);
      await weir.ready(20_000);
      assert.ok((await weir.check('shop', [{ user: 'x' }])).allowed);
    } finally {
      plain.close();
    }
  });

  it('asks 3 times when it only looks, and once when it charges', async () => {
    const away = await fake();
    away.answer = 'unavailable';
    try {
      const weir = open(away.address, PATIENT);
      await assert.rejects(weir.check('shop', [{ user: 'x' }], 0), /the store is away/);
      assert.equal(away.asked.length, 3);
      for (const hits of [1, -1]) {
        await assert.rejects(weir.check('shop', [{ user: 'x' }], hits), /the store is away/);
      }
      await assert.rejects(weir.check('shop', [{ entries: { user: 'x' }, hits: 0 }, { path: '/' }], 1));
      assert.equal(away.asked.length, 6);
    } finally {
      away.close();
    }
  });

  it('hangs up when it is cancelled', async () => {
    const slow = await fake();
    slow.answer = 'silence';
    try {
      const weir = open(slow.address, { timeoutMs: 60_000 });
      const gone = new AbortController();
      const asked = weir.check('shop', [{ user: 'x' }], 1, { signal: gone.signal });
      await eventually('it to be asked', () => slow.asked.length === 1);
      gone.abort();
      await assert.rejects(asked, CancelledError);
      await eventually('the service to know', () => slow.gone === 1);
    } finally {
      slow.close();
    }
  });

  it('ends what is under way when it is closed', async () => {
    const slow = await fake();
    slow.answer = 'silence';
    try {
      const weir = open(slow.address, { timeoutMs: 20_000 });
      const asked = weir.check('shop', [{ user: 'x' }]);
      await eventually('it to be asked', () => slow.asked.length === 1);
      weir.close();
      assert.ok((await asked).failure instanceof UnavailableError);
    } finally {
      slow.close();
    }
  });

  it('tells of a reset in 10,000 years or later as one in 292 years', async () => {
    const late = await fake();
    try {
      for (const seconds of ['315576000000', '9223372036854775807']) {
        late.answer = {
          overallCode: 1,
          statuses: [
            { code: 1, currentLimit: { requestsPerUnit: 5, unit: 1 }, durationUntilReset: { seconds, nanos: 1 } },
          ],
        };
        const { resetAt, headers } = await open(late.address, PATIENT).check('shop', [{ user: 'x' }]);
        assert.equal(headers.RateLimit, '"second";r=0;t=9223372036');
        assert.ok(Number(resetAt) > Date.now());
      }
    } finally {
      late.close();
    }
  });

  it('takes no answer for one that says neither yes nor no, or that lacks a status', async () => {
    const odd = await fake();
    try {
      const weir = open(odd.address, PATIENT);
      for (const answer of [
        { overallCode: 0, statuses: [{ code: 1 }] },
        { overallCode: 1, statuses: [] },
      ]) {
        odd.answer = answer;
        await assert.rejects(weir.check('shop', [{ user: 'x' }]), ServiceError);
        assert.ok((await weir.check('shop', [{ user: 'x' }], 1, { onFailure: 'allow' })).failure);
      }
    } finally {
      odd.close();
    }
  });

  it('sends the headers that the service names in place of its own', async () => {
    const own = await fake();
    own.answer = {
      overallCode: 2,
      statuses: [{ code: 2, currentLimit: { requestsPerUnit: 5, unit: 1, name: 'a "b" \u00e9\u{1f600}' } }],
      responseHeadersToAdd: [
        { key: 'retry-after', value: '9' },
        { key: 'x-plan', value: 'free' },
      ],
    };
    try {
      const { headers } = await open(own.address, PATIENT).check('shop', [{ user: 'x' }]);
      assert.deepEqual(headers, {
        'RateLimit-Policy': '"a \\"b\\" __";q=5;w=1',
        RateLimit: '"a \\"b\\" __";r=0',
        'RateLimit-Limit': '5',
        'RateLimit-Remaining': '0',
        'Retry-After': '9',
        'x-plan': 'free',
      });
    } finally {
      own.close();
    }
  });
});

describe('a client over', () => {
  it('TLS and mTLS is answered, and without its certificate is not', async () => {
    const made = await certificates();
    const shop = await service({
      GRPC_SERVER_USE_TLS: 'true',
      GRPC_SERVER_TLS_CERT: made.cert,
      GRPC_SERVER_TLS_KEY: made.key,
      GRPC_CLIENT_TLS_CACERT: made.ca,
    });
    const [ca, cert, key] = await Promise.all([made.ca, made.cert, made.key].map((path) => readFile(path)));
    const known = connect(shop.address, {
      ...PATIENT,
      tls: { ca: ca!, cert: cert!, key: key!, serverName: 'weir.test' },
    });
    const unknown = connect(shop.address, { ...PATIENT, tls: { ca: ca!, serverName: 'weir.test' } });
    try {
      await known.ready(20_000);
      assert.ok((await known.check('shop', [{ user: 'tls' }])).allowed);
      await assert.rejects(unknown.check('shop', [{ user: 'tls' }]), UnavailableError);
    } finally {
      known.close();
      unknown.close();
      await shop.stop();
      await rm(made.dir, { recursive: true });
    }
  });

  it('a unix socket is answered', async () => {
    const socket = `/tmp/weir-client-${process.pid}.sock`;
    const shop = await service({ GRPC_UDS: socket });
    const weir = connect(shop.address, PATIENT);
    try {
      assert.ok((await weir.check('shop', [{ user: 'unix' }])).allowed);
    } finally {
      weir.close();
      await shop.stop();
    }
  });
});
