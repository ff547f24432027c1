import { expect } from 'chai';
import { settings } from '../../src/doctor/settings.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { ground, told } from './asking.ts';

function says(argv: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  return settings(readSettings(argv, env), env).map(({ mark, says: text }) => `${mark} ${text}`);
}

describe('weir doctor and settings', () => {
  it('is content with none, and with 2 that fit together', () => {
    expect(says([])).to.deep.equal(['ok none is set, so all are defaults']);
    expect(says(['--port', '1'], { REDIS_URL: 'h:1' })).to.deep.equal(['ok 2 set, all with effect']);
  });

  it('exits 2 for those that serve would not start with, and tells them all', async () => {
    const { code, text } = await told(['--port', 'x', '--no-such-flag'], { GRPC_PORT: '99999' });
    expect(code).to.equal(2);
    expect(text.match(/^fail {2}settings: .*/gm)).to.have.length(3);
  });

  it('exits 2 for a Redis address that is no address, and shows no password of it', async () => {
    const { code, text } = await told(['--redis-url', 'redis://u:SECRET@h:port']);
    expect(code).to.equal(2);
    expect(text).to.contain('is not of the form').and.not.contain('SECRET');
  });

  it('exits 2 for a file of the hash secret that is away, and 1 for rules that hash without a secret', async () => {
    const place = await ground(
      'domain: d\ndescriptors: [{key: k, hash_value: true, rate_limit: {unit: day, requests_per_unit: 1}}]\n',
    );
    try {
      const away = await told(place.flags, { HASH_VALUE_SECRET_FILE: '/nonexistent/secret' });
      expect(away).to.include({ code: 2 });
      expect(away.text).to.contain("HASH_VALUE_SECRET_FILE can't be read: ENOENT");
      const without = await told(place.flags);
      expect(without).to.include({ code: 1 });
      expect(without.text).to.contain('hash_value needs a secret');
      expect(await told(place.flags, { HASH_VALUE_SECRET: 's' })).to.include({ code: 0 });
    } finally {
      await place.remove();
    }
  });

  it('names what the Go service knows and weir does not', () => {
    expect(says([], { REDIS_PIPELINE_LIMIT: '8', REDIS_POOL_ON_EMPTY_BEHAVIOR: 'WAIT' })[0]).to.match(
      /without effect here: REDIS_PIPELINE_LIMIT, REDIS_POOL_ON_EMPTY_BEHAVIOR$/,
    );
  });

  it('names what says where rules are and is not asked: files under xDS, the control plane under files', () => {
    const overXds = { CONFIG_TYPE: 'GRPC_XDS_SOTW', CONFIG_GRPC_XDS_SERVER_TLS_SAN: 'x' };
    expect(says(['--rules', 'x'], overXds)).to.deep.equal([
      'warn RULES is set and without effect: CONFIG_TYPE says that rules come over xDS',
      'warn CONFIG_GRPC_XDS_SERVER_TLS_SAN is set and without effect: CONFIG_GRPC_XDS_SERVER_USE_TLS is false',
    ]);
    expect(says([], { XDS_CLIENT_BACKOFF_JITTER: 'false' })).to.deep.equal([
      'warn XDS_CLIENT_BACKOFF_JITTER is set and without effect: CONFIG_TYPE is FILE',
    ]);
  });

  it('asks after a name that is one letter off, and passes over all others', () => {
    expect(says([], { REDIS_ULR: 'h', PATH: '/bin', REDIS_PORT_6379_TCP: 'x', HOSTNAME: 'h' })).to.deep.equal([
      'warn REDIS_ULR is no setting',
    ]);
  });

  const contradictions: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'a Redis beside memory',
      ['--backend-type=memory', '--redis-url=h:1'],
      /^warn REDIS_URL is set and without effect/,
    ],
    [
      'a bound of memory beside Redis',
      ['--redis-url=h:1', '--memory-max-keys=5'],
      /^warn MEMORY_MAX_KEYS is .*in Redis$/,
    ],
    ['RULES beside RUNTIME_ROOT', ['--rules=a', '--runtime-root=b'], /^warn RUNTIME_ROOT is .*RULES says/],
    ['a Prometheus address that is not opened', ['--prometheus-addr=:1'], /^warn PROMETHEUS_ADDR is .*USE_PROMETHEUS/],
    [
      'sinks that are kept off, not of one that nobody asks for',
      ['--disable-stats', '--use-prometheus', '--no-use-statsd', '--prometheus-addr=:1'],
      /^warn USE_PROMETHEUS, PROMETHEUS_ADDR are set and without effect: DISABLE_STATS is true$/,
    ],
    ['a name for headers that are not sent', ['--limit-reset-header=a'], /^warn LIMIT_RESET_HEADER is/],
    [
      'a second Redis that is not asked for',
      ['--redis-url=h:1', '--redis-persecond-url=h:2'],
      /REDIS_PERSECOND is false$/,
    ],
    [
      'a password beside a file',
      ['--redis-url=h:1', '--redis-auth=a', '--redis-auth-file=b'],
      /^warn REDIS_AUTH is .*beats/,
    ],
    [
      'a certificate without TLS',
      ['--redis-url=h:1', '--redis-tls-cacert=a'],
      /^warn REDIS_TLS_CACERT is .*TLS is false/,
    ],
    [
      'sentinels of the second Redis without any',
      ['--redis-url=h:1', '--redis-persecond', '--redis-persecond-sentinel-auth=a'],
      /^warn REDIS_PERSECOND_SENTINEL_AUTH is .*REDIS_PERSECOND_TYPE is not sentinel$/,
    ],
    ['sentinels without any', ['--redis-url=h:1', '--redis-sentinel-auth=a'], /^warn .*REDIS_TYPE is not sentinel$/],
    ['an age of a cache that is off', ['--over-limit-cache-max-age=5s'], /no over-limit cache$/],
    ['a share that nobody takes', ['--local-fallback-share=3'], /STORE_FAILURE is not local$/],
    [
      'whole limits in each process',
      ['--redis-url=h:1', '--store-failure=local'],
      /^warn STORE_FAILURE is local and .* whole limits$/,
    ],
    ['one port for two doors', ['--port=5', '--debug-port=5'], /^fail PORT and DEBUG_PORT are both port 5$/],
    ['shadow mode', ['--shadow-mode'], /^warn SHADOW_MODE is on: nothing is ever refused$/],
    ['workers without Redis', ['--workers=2'], /^fail WORKERS is 2, and each worker would admit the whole limit/],
    ['a cache before memory', ['--local-cache-size-in-bytes=9'], /^warn LOCAL_CACHE_SIZE_IN_BYTES/],
  ];
  for (const [what, argv, expected] of contradictions) {
    it(`tells of ${what}`, () => {
      expect(says(argv)).to.have.length(1);
      expect(says(argv)[0]).to.match(expected);
    });
  }

  it('lets Prometheus have the port of another door while DISABLE_STATS keeps it shut', () => {
    const argv = ['--port=5', '--use-prometheus', '--prometheus-addr=:5'];
    expect(says(argv)).to.deep.equal(['fail PORT and PROMETHEUS_ADDR are both port 5']);
    expect(says([...argv, '--disable-stats']).filter((line) => line.startsWith('fail'))).to.deep.equal([]);
  });

  it('lets two doors share a port on two addresses', () => {
    const apart = ['--host=127.0.0.1', '--port=5', '--debug-host=127.0.0.2', '--debug-port=5'];
    expect(says(apart)).to.deep.equal(['ok 4 set, all with effect']);
  });
});
