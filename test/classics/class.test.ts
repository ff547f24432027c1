import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed } from './bed.ts';
import { type Copy, copy, needsPython } from './copy.ts';

const EXAMPLE = '1-class';
const CONNECTED = `
import os, sys, weir_client
from rate_limiter import RateLimiter, TieredRateLimiter
weir = weir_client.connect(os.environ["WEIR"], timeout=20, on_failure=os.environ.get("ON_FAILURE", "allow"))
`;

describe('the class RateLimiter', function () {
  this.timeout(300_000);
  let files: Copy;
  let ours: Bed;
  const python = (code: string, env: Record<string, string> = {}) =>
    files.python(EXAMPLE, code, { ...ours.env, ...env });
  before(async function () {
    needsRedis(this);
    files = await copy();
    await needsPython(this, files);
  });
  after(() => files?.remove());
  beforeEach(async () => {
    ours = await bed(files, EXAMPLE);
  });
  afterEach(() => ours.close());

  describe('in its naive form', () => {
    const DIES = `
import os, signal
from redis import Redis
from naive import RateLimiter

class DiesThere(Redis):
    def expire(self, *args):
        os.kill(os.getpid(), signal.SIGKILL)

RateLimiter(3, 60, DiesThere.from_url(os.environ["REDIS_URL"])).is_allowed("ann")
`;
    const GOES_ON = `
import os
from redis import Redis
from naive import RateLimiter
limiter = RateLimiter(3, 60, Redis.from_url(os.environ["REDIS_URL"]))
print(*(limiter.is_allowed("ann") for _ in range(4)))
`;

    it('leaves a counter that never ends when it is killed between INCR and EXPIRE, and refuses ann for ever', async () => {
      const killed = await files.startPython(EXAMPLE, DIES, ours.env);
      expect(await killed.ended, killed.output()).to.deep.equal({ code: null, signal: 'SIGKILL' });
      expect(await ours.redis.client.ttl('rate_limit:ann')).to.equal(-1);

      expect(await python(GOES_ON)).to.equal('True True False False');
      expect(await ours.redis.client.ttl('rate_limit:ann')).to.equal(-1);
    });

    it('has no answer but a traceback when Redis is down', async () => {
      await ours.redis.kill();
      const child = await files.startPython(EXAMPLE, GOES_ON, ours.env);
      expect((await child.ended).code).to.equal(1);
      expect(child.output()).to.include('redis.exceptions.ConnectionError');
    });
  });

  it('gives every counter an end, though its process and weir are killed while they count', async () => {
    const endless = `${CONNECTED}
import itertools, threading
limiter = RateLimiter(3, 60, weir=weir)
def ask(thread):
    for n in itertools.count():
        limiter.is_allowed(f"{thread}-{n}")
        if n == 50: print("counting")
for thread in range(4): threading.Thread(target=ask, args=(thread,)).start()
`;
    const child = await files.startPython(EXAMPLE, endless, ours.env);
    await eventually('50 calls of a thread', () => {
      if (!child.running()) throw new Error(child.output());
      return child.output().includes('counting');
    });
    await Promise.all([child.kill(), ours.weir.kill()]);

    const keys = await ours.redis.client.keys('*');
    expect(keys).to.have.lengthOf.at.least(50);
    const lives = await Promise.all(keys.map((key) => ours.redis.client.ttl(key)));
    // -2: it has ended since it was listed.
    expect(lives.filter((seconds) => seconds === -1)).to.deep.equal([]);
  });

  it('admits 3 of 4 calls of ann and 3 of 4 of bob, and 3 more of ann by another name', async () => {
    const code = `${CONNECTED}
one, two = RateLimiter(3, 86400, weir=weir), RateLimiter(3, 86400, weir=weir, name="uploads")
for limiter, user in ((one, "ann"), (one, "bob"), (two, "ann")):
    print(*(limiter.is_allowed(user) for _ in range(4)))
`;
    expect(await python(code)).to.equal(Array(3).fill('True True True False').join('\n'));
  });

  it('refuses a window of 90 seconds, which only a rule can have', async () => {
    const code = `${CONNECTED}
try: RateLimiter(3, 90, weir=weir)
except ValueError as error: print(error)
`;
    expect(await python(code)).to.include('rules.yaml');
  });

  it('admits 5 calls of a free customer, 50 of a pro and 5 of a kind nobody wrote down', async () => {
    const code = `${CONNECTED}
tiers = TieredRateLimiter(weir=weir)
for user, kind in (("bob", "free"), ("carol", "pro"), ("dave", "gold")):
    print(kind, sum(tiers.is_allowed(user, kind) for _ in range(60)))
print(dict(tiers.counts))
`;
    expect(await python(code)).to.equal("free 5\npro 50\ngold 5\n{'allowed': 60, 'denied': 120}");
    const metrics = await (await fetch(ours.env.WEIR_METRICS as string)).text();
    const over = 'ratelimit_service_rate_limit_over_limit{domain="calls",';
    expect(metrics).to.include(`${over}key1="kind_free",key2="user"} 55\n`);
    expect(metrics).to.include(`${over}key1="kind_pro",key2="user"} 10\n`);
  });

  it('tells weir of ann, but not the metrics, nor Redis in a limiter of its own', async () => {
    await python(`${CONNECTED}
RateLimiter(3, 86400, weir=weir).is_allowed("ann-of-cleves")
`);
    expect(await ours.redis.client.keys('*')).to.have.lengthOf(1);
    expect(await ours.redis.client.keys('*ann-of-cleves*')).to.deep.equal([]);
    expect(await (await fetch(ours.env.WEIR_METRICS as string)).text()).not.to.include('ann-of-cleves');
  });

  for (const [part, kill] of [
    ['Redis', () => ours.redis.kill()],
    ['weir', () => ours.weir.kill()],
  ] as const) {
    it(`says plainly that nobody can count when ${part} is down, and lets pass or refuses as it was told`, async () => {
      await kill();
      const code = `${CONNECTED}
limiter, tiers = RateLimiter(3, 60, weir=weir), TieredRateLimiter(weir=weir)
for verdict in (limiter.check("ann"), tiers.check("bob", "free")): print(verdict.allowed, verdict.why)
print(dict(limiter.counts))
`;
      expect(await python(code)).to.equal(
        `${'True let through: nobody can count right now\n'.repeat(2)}{'allowed_uncounted': 1}`,
      );
      expect(await python(code, { ON_FAILURE: 'deny' })).to.equal(
        `${'False refused: nobody can count right now\n'.repeat(2)}{'denied_uncounted': 1}`,
      );
    });
  }
});
