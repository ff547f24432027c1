import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { diagnosis, type Ground, ground, told } from './asking.ts';

const PASSWORD = 'open-sesame-7431';

describe('weir doctor and one Redis', () => {
  let place: Ground;
  let redis: OwnRedis;

  before(async function () {
    needsRedis(this);
    place = await ground();
    redis = await ownRedis();
  });

  after(async () => {
    await redis?.stop();
    await place?.remove();
  });

  async function storeOf(url: string, env: NodeJS.ProcessEnv = {}) {
    return diagnosis([...place.flags, '--redis-url', url], env);
  }

  it('finds nothing wrong with a healthy one, leaves no key behind and exits 0', async () => {
    const { code, troubles, named } = await storeOf(redis.url);
    expect(troubles).to.deep.equal([]);
    expect(code).to.equal(0);
    for (const name of [
      'reached',
      'version',
      'role',
      'eviction',
      'persistence',
      'clock',
      'latency',
      'rights',
      'script',
    ]) {
      expect(named(`store.${name}`), name).to.have.length(1);
    }
    expect(await redis.client.keys('*')).to.deep.equal([]);
  });

  it('reaches it through its socket', async () => {
    expect((await storeOf(redis.socketPath)).troubles).to.deep.equal([]);
  });

  it('looks at the Redis for limits per second too', async () => {
    const flags = ['--redis-persecond', '--redis-persecond-url', `127.0.0.1:${await freePort()}`];
    const { troubles, named } = await diagnosis([...place.flags, '--redis-url', redis.url, ...flags]);
    expect(troubles).to.deep.equal(['fail per-second.refused']);
    expect(named('store.script')[0]!.mark).to.equal('ok');
  });

  it('says of a port where nobody listens that it is refused, and exits 1', async () => {
    const { code, troubles, named } = await storeOf(`127.0.0.1:${await freePort()}`);
    expect([code, troubles]).to.deep.equal([1, ['fail store.refused']]);
    expect(named('store.refused')[0]!.says).to.match(/nobody listens$/);
  });

  it('says of a socket that is not there that it is not there', async () => {
    expect((await storeOf(`${redis.socketPath}.not`)).troubles).to.deep.equal(['fail store.socket']);
  });

  it('says of a name that does not resolve that it does not', async () => {
    expect((await storeOf('redis.invalid:6379')).troubles).to.deep.equal(['fail store.dns']);
  });

  it('says of database 99 that there is none', async () => {
    const { troubles, named } = await storeOf(`redis://${redis.url}/99`);
    expect(troubles).to.deep.equal(['fail store.db']);
    expect(named('store.db')[0]!.says).to.match(/has no database 99$/);
  });

  it('says of TLS asked of a port without it that the handshake does not end', async () => {
    expect((await storeOf(`rediss://${redis.url}`)).troubles).to.deep.equal(['fail store.tls']);
  });

  it('says of a stopped one that it takes the connection and says nothing', async () => {
    redis.freeze();
    try {
      expect((await storeOf(redis.url)).troubles).to.deep.equal(['fail store.silent']);
    } finally {
      redis.thaw();
    }
  });

  it('warns of a policy that evicts, with the policy and maxmemory in the sentence', async () => {
    await redis.client.config('SET', 'maxmemory', '64mb');
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { code, troubles, named } = await storeOf(redis.url);
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.client.config('SET', 'maxmemory', '0');
    expect([code, troubles]).to.deep.equal([0, ['warn store.eviction']]);
    expect(named('store.eviction')[0]!.says).to.contain('allkeys-lru and maxmemory 64.0 MiB');
    expect(named('store.eviction')[0]!.todo).to.equal('set maxmemory-policy noeviction');
  });

  it('says of one without memory left that it does not run the script, and why', async () => {
    await redis.client.config('SET', 'maxmemory', '1');
    const { troubles, named } = await storeOf(redis.url);
    await redis.client.config('SET', 'maxmemory', '0');
    expect(troubles).to.include('fail store.script');
    expect(named('store.script')[0]!.says).to.match(/no memory left .*OOM/);
  });

  it('names a replica, and that writes will fail with READONLY', async () => {
    const replica = await ownRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    const { code, troubles, named } = await storeOf(replica.url);
    await replica.stop();
    expect([code, troubles]).to.deep.equal([1, ['fail store.role']]);
    expect(named('store.role')[0]!.says).to.match(new RegExp(`replica of 127.0.0.1:${redis.port}: .*READONLY`));
  });

  it('says of one with all connections taken that it takes no further', async () => {
    const full = await ownRedis({ args: ['--maxclients', '1'] });
    const { troubles } = await storeOf(full.url);
    await full.stop();
    expect(troubles).to.deep.equal(['fail store.full']);
  });

  it('names a node of a cluster that is asked as if it were alone', async () => {
    const node = await ownRedis({ args: ['--cluster-enabled', 'yes'] });
    const { troubles } = await storeOf(node.url);
    await node.stop();
    expect(troubles).to.include('fail store.kind');
  });

  describe('with a password', () => {
    let locked: OwnRedis;

    before(async () => {
      locked = await ownRedis({ args: ['--requirepass', PASSWORD], password: PASSWORD });
    });

    after(() => locked?.stop());

    it('says that one is wanted when none is set', async () => {
      expect((await storeOf(locked.url)).troubles).to.deep.equal(['fail store.noauth']);
    });

    it('says that a wrong one is refused, and never what it is', async () => {
      const { troubles, text } = await storeOf(locked.url, { REDIS_AUTH: 'wrong-sesame-99' });
      expect(troubles).to.deep.equal(['fail store.wrongpass']);
      expect(text).to.not.contain('sesame');
    });

    it('finds nothing wrong with the right one, and never says what it is', async () => {
      const { troubles, text } = await storeOf(`redis://:${PASSWORD}@${locked.url}`);
      expect(troubles).to.deep.equal([]);
      expect(text).to.not.contain(PASSWORD);
    });
  });
});

describe('weir doctor and what is no Redis', () => {
  let place: Ground;
  let server: Server;
  let answer: (socket: Socket) => void;

  before(async () => {
    place = await ground();
    server = createServer((socket) => {
      socket.on('error', () => {});
      answer(socket);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  });

  after(async () => {
    server.close();
    await place.remove();
  });

  const cases: readonly (readonly [string, (socket: Socket) => void, string])[] = [
    ['an HTTP server', (it) => it.on('data', () => it.end('HTTP/1.1 400 Bad Request\r\n\r\n')), 'fail store.protocol'],
    ['a server with a greeting', (it) => it.end('SSH-2.0-x\r\n'), 'fail store.protocol'],
    ['one that hangs up', (it) => it.on('data', () => it.end()), 'fail store.closed'],
    ['one that resets', (it) => it.on('data', () => it.resetAndDestroy()), 'fail store.closed'],
    ['one that says nothing', (it) => it.resume(), 'fail store.silent'],
    ['one in protected mode', (it) => it.end('-DENIED Redis is running in protected mode\r\n'), 'fail store.denied'],
    ['one that answers the login only', answersOnce, 'fail store.silent'],
  ];
  for (const [what, behaves, expected] of cases) {
    it(`says of ${what}: ${expected}`, async () => {
      answer = behaves;
      const { port } = server.address() as AddressInfo;
      const { code, troubles } = await diagnosis([...place.flags, '--redis-url', `127.0.0.1:${port}`]);
      expect([code, troubles]).to.deep.equal([1, [expected]]);
    });
  }

  it('keeps the password to itself when an old server repeats it', async () => {
    const refusal = `-ERR what is \`HELLO\`, and what ${PASSWORD}, with args beginning with: \`${PASSWORD}\`\r\n`;
    answer = (it) => it.on('data', () => it.write(refusal + refusal));
    const { port } = server.address() as AddressInfo;
    const { text } = await told([...place.flags, '--redis-url', `127.0.0.1:${port}`], { REDIS_AUTH: PASSWORD });
    expect(text).to.contain('answered the login with').and.not.contain(PASSWORD);
  });
});

function answersOnce(socket: Socket): void {
  socket.once('data', () => socket.write('%1\r\n+server\r\n+redis\r\n+OK\r\n'));
}
