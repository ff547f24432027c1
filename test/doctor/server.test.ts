import { expect } from 'chai';
import { clockOffset } from '../../src/doctor/redis/clock.ts';
import { unreachable } from '../../src/doctor/redis/failure.ts';
import { info } from '../../src/doctor/redis/info.ts';
import { latency } from '../../src/doctor/redis/latency.ts';
import { eviction, kind, persistence, role, version } from '../../src/doctor/redis/server.ts';
import { MAIN } from '../../src/doctor/redis/set-by.ts';
import { ProbeError } from '../../src/store/redis/probe.ts';
import { redisTarget } from '../../src/store/redis/target.ts';

const marked = ({ mark, says }: { mark: string; says: string }): string => `${mark} ${says}`;

describe('what INFO says', () => {
  it('is read as fields, with colons in values', () => {
    expect(info('# Server\r\nredis_version:7.0.15\r\nmonotonic:a:b\r\n')).to.deep.equal({
      redis_version: '7.0.15',
      monotonic: 'a:b',
    });
  });

  it('is new enough from Redis 6.2 on, and for every Valkey', () => {
    const told = (text: string) => marked(version('store', 'it', info(text)));
    expect(told('redis_version:6.2.14')).to.equal('ok it is Redis 6.2.14');
    expect(told('redis_version:6.0.16')).to.equal('fail it is Redis 6.0.16, which is too old');
    expect(told('redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.1')).to.equal('ok it is Valkey 8.1.1');
  });

  it('gives away a Sentinel, and a node that is asked for the wrong kind', () => {
    const name = (text: string, asked: 'single' | 'cluster') =>
      kind('store', 'it', info(text), asked, MAIN).map(marked);
    expect(name('redis_mode:standalone\ncluster_enabled:0', 'single')).to.deep.equal([]);
    expect(name('redis_mode:cluster\ncluster_enabled:1', 'cluster')).to.deep.equal([]);
    expect(name('redis_mode:sentinel', 'single')).to.deep.equal(['fail it is a Sentinel, which keeps no counters']);
    expect(name('redis_mode:cluster\ncluster_enabled:1', 'single')[0]).to.match(
      /^fail it is a node of a Redis Cluster/,
    );
    expect(name('redis_mode:standalone\ncluster_enabled:0', 'cluster')[0]).to.match(/^fail it is no node/);
  });

  it('tells a master, a replica and one that loads apart', () => {
    expect(marked(role('store', 'it', info('role:master\nconnected_slaves:1'), ''))).to.equal(
      'ok it is a master with 1 replica',
    );
    expect(role('store', 'it', info('role:slave\nmaster_host:h\nmaster_port:1'), '').mark).to.equal('fail');
    expect(role('store', 'it', info('role:master\nloading:1'), '').says).to.match(/LOADING/);
  });

  it('warns of memory that is 90 % full, and of a policy even without maxmemory', () => {
    const told = (text: string) => eviction('store', 'it', info(text)).map(({ mark }) => mark);
    expect(told('maxmemory_policy:noeviction\nmaxmemory:1000\nused_memory:899')).to.deep.equal(['ok']);
    expect(told('maxmemory_policy:noeviction\nmaxmemory:1000\nused_memory:900')).to.deep.equal(['warn']);
    expect(told('maxmemory_policy:volatile-ttl\nmaxmemory:0\nused_memory:9')).to.deep.equal(['warn']);
    expect(told('')).to.deep.equal([]);
  });

  it('tells what a restart forgets, and warns when saving failed', () => {
    const told = (text: string, save: string | null) => marked(persistence('store', 'it', info(text), save));
    expect(told('aof_enabled:1', '')).to.match(/^ok .*about the last second$/);
    expect(told('aof_enabled:0', '')).to.match(/^ok .*forgets all counters$/);
    expect(told('aof_enabled:0', '60 1000')).to.match(/^ok .*\(save 60 1000\)/);
    expect(told('aof_enabled:0', null)).to.match(/^ok .*not told$/);
    expect(told('aof_enabled:0\nrdb_last_bgsave_status:err', '60 1000')).to.match(/^warn .*MISCONF$/);
  });
});

describe('the clock of Redis', () => {
  const told = (seconds: number) =>
    marked(clockOffset('store', 'it', { seconds, microseconds: 250_000, beforeMs: 1_000_000, afterMs: 1_000_100 }));

  it('is in order 200 ms ahead, and not 800 ms behind or 1200 ms ahead', () => {
    expect(told(1_000)).to.equal('ok the clock of it is 200 ms ahead of this host');
    expect(told(999)).to.match(/^warn the clock of it is 800 ms behind this host, so/);
    expect(told(1_001)).to.match(/^warn the clock of it is 1200 ms ahead of this host, so/);
  });
});

describe('round trips', () => {
  const told = (...tripsMs: number[]) => latency('store', 'it', tripsMs, 100).mark;

  it('are in order below half of the command timeout, and fail when half of them reach it', () => {
    expect(told(1, 2, 49)).to.equal('ok');
    expect(told(1, 2, 50)).to.equal('warn');
    expect(told(1, 100, 150)).to.equal('fail');
  });
});

describe('a failed dial', () => {
  const named = (code: string, message = ''): string =>
    unreachable(new ProbeError(message, code), {
      room: 'store',
      who: 'Redis',
      target: redisTarget({ url: 'rediss://h:1' }),
      tls: true,
      by: {
        address: 'REDIS_URL',
        login: 'REDIS_AUTH',
        database: 'REDIS_DB',
        withTls: 'set REDIS_TLS=true',
        withoutTls: 'set REDIS_TLS=false',
      },
      aclLine: '',
      connectTimeoutMs: 3_000,
      bare: { far: code === 'ETIMEDOUT' ? 'no answer' : 'open', greeting: '' },
    }).says;

  const cases: readonly (readonly [string, RegExp])[] = [
    ['CERT_HAS_EXPIRED', /certificate that has expired/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /another name/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /does not trust/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /does not trust/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /speaks no TLS/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /wants a client certificate/],
    ['ERR_SSL_NO_SHARED_CIPHER', /fails at TLS: ERR_SSL_NO_SHARED_CIPHER/],
    ['ETIMEDOUT', /does not take a connection within 3000 ms/],
    ['EHOSTUNREACH', /no route to the host/],
    ['EAI_AGAIN', /DNS of this host does not answer/],
    ['EACCES', /may not be opened by this user/],
    ['EOTHER', /cannot be reached: EOTHER/],
  ];
  for (const [code, expected] of cases)
    it(`by ${code} reads ${expected.source}`, () => expect(named(code)).to.match(expected));
});
