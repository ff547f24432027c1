import { expect } from 'chai';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed } from './bed.ts';
import { type Copy, copy, needsPython } from './copy.ts';

const EXAMPLE = '2-token-bucket';

/** All threads start at once, and each takes one token of ann's. */
const TOGETHER = `
import os, threading
THREADS = 20
start, results = threading.Barrier(THREADS), []
def take_one(take):
    start.wait(30)
    results.append(take())
def admitted(take):
    threads = [threading.Thread(target=take_one, args=(take,)) for _ in range(THREADS)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return results.count(True)
`;
const BUCKET = `
import os, weir_client
from token_bucket import LocalBuckets, TokenBucket
weir = weir_client.connect(os.environ["WEIR"], timeout=20)
bucket = TokenBucket(weir, LocalBuckets(capacity=5, refill_per_second=0.5))
`;

describe('the token bucket', function () {
  this.timeout(300_000);
  let files: Copy;
  let ours: Bed;
  const python = (code: string) => files.python(EXAMPLE, code, ours.env);
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

  it('in its naive form admits 20 of 20 at once to a bucket of 10', async () => {
    const code = `${TOGETHER}
from redis import Redis
from naive import TokenBucket

everybody_has_read = threading.Barrier(THREADS)

class AllReadFirst(Redis):
    def hgetall(self, key):
        bucket = super().hgetall(key)
        everybody_has_read.wait(30)
        return bucket

bucket = TokenBucket(10, 0, AllReadFirst.from_url(os.environ["REDIS_URL"]))
print(admitted(lambda: bucket.allow("ann")))
`;
    expect(await python(code)).to.equal('20');
    expect(Number(await ours.redis.client.hget('bucket:ann', 'tokens'))).to.equal(9);
    expect(await ours.redis.client.ttl('bucket:ann')).to.equal(-1);
  });

  it('admits 10 of 20 at once, and a burst of bob besides', async () => {
    const code = `${TOGETHER}${BUCKET}
print(admitted(lambda: bucket.take("ann").allowed), bucket.take("ann").by)
print(bucket.take("bob", 10))
`;
    expect(await python(code)).to.equal("10 weir\nTaken(allowed=True, tokens_left=0, wait_seconds=0, by='weir')");
  });

  it('takes all of the tokens or none, and says how long to wait', async () => {
    const code = `${BUCKET}
print(bucket.take("ann", 8))
refused = bucket.take("ann", 4)
print(refused.allowed, refused.tokens_left)
# Two tokens are missing, and each takes the tenth part of a year.
print(abs(refused.wait_seconds - 2 * 365 * 86400 / 10) < 3600)
print(bucket.take("ann", 2))
`;
    expect(await python(code)).to.equal(
      [
        "Taken(allowed=True, tokens_left=2, wait_seconds=0, by='weir')",
        'False 0',
        'True',
        "Taken(allowed=True, tokens_left=0, wait_seconds=0, by='weir')",
      ].join('\n'),
    );
  });

  it('goes on with buckets of weir when Redis is down, and of 5 in the process when weir is', async () => {
    await ours.redis.kill();
    const code = `${BUCKET}
taken = [bucket.take("ann") for _ in range(11)]
print(sum(each.allowed for each in taken), {each.by for each in taken})
`;
    expect(await python(code)).to.equal("10 {'weir'}");
    await ours.weir.kill();
    expect(await python(code)).to.equal("5 {'fallback'}");
  });

  it('fills the buckets of the process at half a token a second, up to 5, for as many users as it was told', async () => {
    const code = `
from token_bucket import LocalBuckets
now = 0.0
local = LocalBuckets(capacity=5, refill_per_second=0.5, max_users=2, now=lambda: now)
print(local.take("ann", 5).allowed, local.take("ann", 3))
now = 5.9
print(local.take("ann", 3).wait_seconds)
now = 6.0
print(local.take("ann", 3).allowed)
now = 1000.0
print(local.take("ann", 6).allowed, local.take("ann", 5).allowed)
local.take("bob"), local.take("carol")
print(list(local._buckets))
`;
    expect(await python(code)).to.equal(
      [
        "True Taken(allowed=False, tokens_left=0, wait_seconds=6, by='fallback')",
        '1',
        'True',
        'False True',
        "['bob', 'carol']",
      ].join('\n'),
    );
  });
});
