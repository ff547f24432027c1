import { expect } from 'chai';
import { grpcBounds } from '../../src/grpc-door.ts';
import { reasons, WITHOUT_EFFECT } from '../../src/settings/go-names.ts';
import { type ReadSettings, readSettings, SettingsError } from '../../src/settings/read-settings.ts';
import { SETTINGS } from '../../src/settings/settings.ts';
import { settingsHelp, settingsTable } from '../../src/settings/text.ts';
import { BOUNDS } from '../../src/wire/http2/bounds.ts';
import { RPC_BOUNDS } from '../../src/wire/rpc/bounds.ts';
import { loadDifferences } from '../oracle/differences.ts';
import { FIELD_DEFAULTS, FIELD_NAMES } from './field-names.ts';

const NAMES = Object.values(SETTINGS).map(({ env }) => env);

/** Lines of the refusal; [] when nothing is wrong. */
function wrong(argv: readonly string[], env: Record<string, string> = {}): readonly string[] {
  try {
    readSettings(argv, env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.lines;
    throw error;
  }
}

const read = (argv: readonly string[], env: Record<string, string> = {}): ReadSettings => readSettings(argv, env);

describe('settings', () => {
  it('take a PROMETHEUS_PATH that starts with / and header names that are HTTP tokens or empty', () => {
    expect(wrong([], { PROMETHEUS_PATH: '/m' })).to.deep.equal([]);
    expect(wrong([], { PROMETHEUS_PATH: 'm' })).to.deep.equal(['PROMETHEUS_PATH: expected a path that starts with /']);
    for (const env of ['LIMIT_LIMIT_HEADER', 'LIMIT_REMAINING_HEADER', 'LIMIT_RESET_HEADER']) {
      for (const name of ['', 'x-Limit_1', "!#$%&'*+.^`|~"]) expect(wrong([], { [env]: name }), name).to.deep.equal([]);
      for (const name of ['a b', 'a:', 'é', 'a\n', '"a"', ' ']) {
        expect(wrong([], { [env]: name }), name).to.deep.equal([`${env}: expected the name of an HTTP header`]);
      }
    }
  });

  it('take so many at once and so many a second as 10,1, and nothing else', () => {
    expect(read([], { GRPC_MAX_RESETS: '10,1' }).settings.grpcMaxResets).to.deep.equal({ burst: 10, perSecond: 1 });
    for (const text of ['10', '10,', ',1', '0,1', '10,0', '10,1,1', '10, 1', '1e3,1', '-1,1']) {
      const line = 'GRPC_MAX_RESETS: expected two whole numbers from 1: at once,a second';
      expect(wrong([], { GRPC_MAX_RESETS: text }), text).to.deep.equal([line]);
    }
  });

  it('are refused on wire where a part is larger than its whole', () => {
    const env = {
      GRPC_STREAM_WINDOW_BYTES: '100000',
      GRPC_CONNECTION_WINDOW_BYTES: '99999',
      MAX_MESSAGE_BYTES: '3000',
      GRPC_MAX_BUFFERED_BYTES: '2000',
      GRPC_MAX_BUFFERED_BYTES_OF_ALL: '1000',
    };
    expect(wrong([], { ...env, GRPC_TRANSPORT: 'grpc-js' })).to.deep.equal([]);
    expect(wrong([], env)).to.deep.equal([
      'GRPC_STREAM_WINDOW_BYTES: must not be more than GRPC_CONNECTION_WINDOW_BYTES, of which it is a part',
      'MAX_MESSAGE_BYTES: must not be more than GRPC_MAX_BUFFERED_BYTES, of which it is a part',
      'GRPC_MAX_BUFFERED_BYTES: must not be more than GRPC_MAX_BUFFERED_BYTES_OF_ALL, of which it is a part',
    ]);
    expect(wrong([], {})).to.deep.equal([]);
    expect(wrong([], { GRPC_MAX_STREAMS: '1023' })).to.have.length(1);
  });

  it('of the gRPC port are what wire has by itself, but for the age of connections', () => {
    const { wire, ...shared } = grpcBounds(read([]).settings);
    const { bounds, ...calls } = wire;
    expect(BOUNDS).to.deep.include(bounds);
    expect(RPC_BOUNDS).to.deep.include({ ...calls, maxMessageBytes: shared.maxMessageBytes });
    expect(BOUNDS).to.include({
      maxConcurrentStreams: shared.maxStreams,
      maxHeaderListBytes: shared.maxHeaderListBytes,
      handshakeTimeoutMs: shared.handshakeTimeoutMs,
      keepaliveTimeMs: shared.keepaliveTimeMs,
      keepaliveTimeoutMs: shared.keepaliveTimeoutMs,
      idleTimeoutMs: shared.maxConnectionIdleMs,
    });
  });

  it('are the defaults when nobody says anything', () => {
    const { settings, sources, ignored } = read([]);
    expect(settings).to.include({
      host: '0.0.0.0',
      port: 8080,
      grpcPort: 8081,
      debugPort: 6070,
      runtimeRoot: '/srv/runtime_data/current',
      runtimeWatchRoot: true,
      backendType: null,
      redisUrl: null,
      redisConnectTimeoutMs: 10_000,
      redisCommandTimeoutMs: 100,
      expirationJitterMaxSeconds: 300,
      nearLimitRatio: 0.8,
      shadowMode: false,
      limitHeader: 'RateLimit-Limit',
      drainTimeoutMs: 25_000,
    });
    expect(settings.prometheusAddr).to.deep.equal({ host: '', port: 9090 });
    expect(new Set(Object.values(sources))).to.deep.equal(new Set(['default']));
    expect(ignored).to.deep.equal([]);
  });

  it('win as flag over environment, and as environment over default', () => {
    const { settings, sources } = read(['--port=1'], { PORT: '2', GRPC_PORT: '3' });
    expect(settings).to.include({ port: 1, grpcPort: 3, debugPort: 6070 });
    expect(sources).to.include({ port: 'flag', grpcPort: 'environment', debugPort: 'default' });
  });

  it('cannot be changed', () => {
    const { settings } = read([]);
    expect(Object.isFrozen(settings)).to.equal(true);
    expect(Reflect.set(settings, 'port', 1)).to.equal(false);
    expect(settings.port).to.equal(8080);
  });

  it('all have an environment name of their own, and no flag is taken for the negation of another', () => {
    expect(new Set(NAMES).size).to.equal(NAMES.length);
    expect(NAMES.filter((name) => name.startsWith('NO_'))).to.deep.equal([]);
  });

  it('take empty variables for ones that are not set, but for texts that may be empty', () => {
    const { settings, sources } = read([], { PORT: '', SHADOW_MODE: '', REDIS_TIMEOUT: '', LIMIT_LIMIT_HEADER: '' });
    expect(settings).to.include({ port: 8080, shadowMode: false, redisConnectTimeoutMs: 10_000, limitHeader: '' });
    expect(sources).to.include({ port: 'default', limitHeader: 'environment' });
  });

  it('take an empty RULES, REDIS_URL or BACKEND_TYPE for none', () => {
    const { settings } = read([], { RULES: '', REDIS_URL: '', BACKEND_TYPE: '', REDIS_TYPE: '', LOG_FORMAT: '' });
    expect(settings).to.include({ rules: null, redisUrl: null, backendType: null, redisType: null, logFormat: null });
  });

  it('read words in any letter case', () => {
    const { settings } = read([], { BACKEND_TYPE: 'Redis', REDIS_TYPE: 'SINGLE', LOG_LEVEL: 'WARN' });
    expect(settings).to.include({ backendType: 'redis', redisType: 'single', logLevel: 'warn' });
  });
});

describe('settings: flags', () => {
  const readings: readonly (readonly [argv: readonly string[], name: keyof typeof SETTINGS, value: unknown])[] = [
    [['--port', '9'], 'port', 9],
    [['--port=9'], 'port', 9],
    [['--port=1', '--port=2'], 'port', 2],
    [['--rules='], 'rules', null],
    [['--rules=a=b'], 'rules', 'a=b'],
    [['--redis-auth=-starts-with-a-dash'], 'redisAuth', '-starts-with-a-dash'],
    [['--shadow-mode'], 'shadowMode', true],
    [['--shadow-mode=true'], 'shadowMode', true],
    [['--shadow-mode=1'], 'shadowMode', true],
    [['--shadow-mode=false'], 'shadowMode', false],
    [['--no-runtime-watch-root'], 'runtimeWatchRoot', false],
    [['--runtime-watch-root=false'], 'runtimeWatchRoot', false],
    [['--shadow-mode', '--no-shadow-mode'], 'shadowMode', false],
  ];
  for (const [argv, name, value] of readings) {
    it(`${argv.join(' ')} makes ${name} ${value}`, () => {
      const { settings, sources } = read(argv, { SHADOW_MODE: 'true' });
      expect(settings[name]).to.equal(value);
      expect(sources[name]).to.equal('flag');
    });
  }

  const refusals: readonly (readonly [argv: readonly string[], lines: readonly string[]])[] = [
    [['--nope'], ['--nope: there is no such flag; weir --help lists them']],
    [
      ['--nope=x', '--neither'],
      [
        '--nope: there is no such flag; weir --help lists them',
        '--neither: there is no such flag; weir --help lists them',
      ],
    ],
    [['--no-port'], ['--no-port: there is no such flag; weir --help lists them']],
    [['--no-shadow-mode=true'], ['--no-shadow-mode: takes no value']],
    [['--shadow-mode=maybe'], ['--shadow-mode: expected true or false']],
    [['--port'], ['--port: a value is missing']],
    [['--rules', '--port'], ['--rules: write a value with a dash as --rules=-...']],
    [['rules.yaml'], ['argument 1 is neither a flag nor the value of one']],
    [['--shadow-mode', 'false'], ['argument 2 is neither a flag nor the value of one']],
    [['--', '--port=1'], ['argument 2 is neither a flag nor the value of one']],
    [['-xyz'], ['argument 1 is neither a flag nor the value of one']],
    [['--__proto__=1'], ['--__proto__: there is no such flag; weir --help lists them']],
    [['--constructor'], ['--constructor: there is no such flag; weir --help lists them']],
    [['--PORT=1'], ['--PORT: there is no such flag; weir --help lists them']],
  ];
  for (const [argv, lines] of refusals) {
    it(`refuses ${argv.join(' ')}: ${lines[0]}`, () => expect(wrong(argv)).to.deep.equal(lines));
  }
});

describe('settings: what is wrong', () => {
  it('is told all at once, flags and variables, a line each', () => {
    const env = {
      GRPC_PORT: '70000',
      NEAR_LIMIT_RATIO: '2',
      DRAIN_DELAY: '3',
      BACKEND_TYPE: 'memcached',
      SHADOW_MODE: 'on',
    };
    expect(wrong(['--port=x', '--nope'], env)).to.have.members([
      '--nope: there is no such flag; weir --help lists them',
      '--port: expected a whole number from 0 to 65535',
      'GRPC_PORT: expected a whole number from 0 to 65535',
      'NEAR_LIMIT_RATIO: expected a number from 0 to 1',
      'DRAIN_DELAY: expected a duration such as 150us, 10s or 1h30m, at most 250h',
      'BACKEND_TYPE: expected one of redis, memory',
      'SHADOW_MODE: expected true or false',
    ]);
  });

  it('is a window of 100 ms beside a command timeout of 100 ms, and not one of 99 ms', () => {
    for (const window of ['REDIS_PIPELINE_WINDOW', 'REDIS_PERSECOND_PIPELINE_WINDOW']) {
      const refused = [`${window}: must be shorter than REDIS_COMMAND_TIMEOUT, of which it takes its part`];
      expect(wrong([], { [window]: '100ms' })).to.deep.equal(refused);
      // It is taken in whole milliseconds.
      expect(wrong([], { [window]: '99001us' })).to.deep.equal(refused);
      expect(wrong(['--redis-command-timeout=50ms'], { [window]: '50ms' })).to.deep.equal(refused);
      expect(wrong([], { [window]: '99ms' })).to.deep.equal([]);
      expect(wrong([], { [window]: '100ms', REDIS_COMMAND_TIMEOUT: '101ms' })).to.deep.equal([]);
    }
  });

  it('is the message of the error too', () => {
    expect(() => read(['--nope'], { PORT: 'x' })).to.throw(SettingsError, /--nope.*\n.*PORT/);
  });

  it('is not a bad variable that a good flag beats', () => {
    expect(wrong(['--port=1'], { PORT: 'x' })).to.deep.equal([]);
  });

  // Whoever mistypes a secret must not find it in a log.
  const SECRET = 'hunter2';
  const leaks: readonly (readonly [argv: readonly string[], env: Record<string, string>])[] = [
    [[`--redis-aut=${SECRET}`], {}],
    [['--redis-aut', SECRET], {}],
    [[`--port=${SECRET}`], {}],
    [[SECRET], {}],
    [[`-${SECRET}`], {}],
    [['--redis-auth', `--${SECRET}`], {}],
    [['--redis-auth', `-${SECRET}`], {}],
    [['--no-shadow-mode', SECRET], {}],
    [[`--shadow-mode=${SECRET}`], {}],
    [[`--no-shadow-mode=${SECRET}`], {}],
    [['--', SECRET], {}],
    [[], Object.fromEntries(NAMES.filter((name) => !/AUTH|URL/.test(name)).map((name) => [name, SECRET]))],
  ];
  for (const [argv, env] of leaks) {
    it(`never holds what was written: ${argv.join(' ') || `${Object.keys(env).length} variables`}`, () => {
      const told = wrong(argv, env).join('\n');
      expect(told).to.not.equal('');
      expect(told).to.not.include(SECRET);
    });
  }
});

describe('settings and the names of the Go service', () => {
  const without = Object.keys(WITHOUT_EFFECT);

  it('know all 114 of them: each has a setting or a reason why it has no effect, never both', () => {
    expect(FIELD_NAMES).to.have.length(114);
    const known = [...NAMES, ...without];
    expect(FIELD_NAMES.filter((name) => !known.includes(name))).to.deep.equal([]);
    expect(without.filter((name) => NAMES.includes(name))).to.deep.equal([]);
  });

  it('list nothing as without effect that the Go service does not read', () => {
    expect(without.filter((name) => !FIELD_NAMES.includes(name))).to.deep.equal([]);
    for (const why of Object.values(WITHOUT_EFFECT)) expect(why).to.match(/^\w.{20,}[^.]$/);
  });

  it('tell those that are set and have no effect, with the reason, unless they are empty, and refuse none', () => {
    const env = { MEMCACHE_SRV: 'x', MEMCACHE_TLS: '', REDIS_PIPELINE_LIMIT: 'nonsense', PORT: '1', PATH: '/bin' };
    const { ignored } = read([], { ...env, MEMCACHE_HOST_PORT: 'h:1' });
    expect(reasons(ignored)).to.deep.equal([
      'MEMCACHE_HOST_PORT, MEMCACHE_SRV: there is no memcached here: BACKEND_TYPE=memcache is refused at the start',
      'REDIS_PIPELINE_LIMIT: the Go service reads it and does nothing with it',
    ]);
  });

  it('take every default of the Go service as a value', () => {
    const refused = wrong([], Object.fromEntries(Object.entries(FIELD_DEFAULTS)));
    expect(refused).to.deep.equal([]);
  });

  it('refuse BACKEND_TYPE=memcache with a sentence that says what can be done', () => {
    expect(wrong([], { BACKEND_TYPE: 'Memcache', MEMCACHE_HOST_PORT: 'h:11211' })).to.deep.equal([
      'BACKEND_TYPE: memcache is not supported; count in Redis (redis, with REDIS_URL) or in this process (memory)',
    ]);
  });

  it('warn of what ends the Go service: a pool that creates connections, and two sinks at once', () => {
    const warnings = (env: Record<string, string>) => read([], env).warnings;
    expect(warnings({ REDIS_POOL_ON_EMPTY_BEHAVIOR: 'WAIT', USE_PROMETHEUS: 'true' })).to.deep.equal([]);
    expect(
      warnings({ REDIS_POOL_ON_EMPTY_BEHAVIOR: 'CREATE', REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR: 'error' }),
    ).to.deep.equal(
      ['REDIS_POOL_ON_EMPTY_BEHAVIOR', 'REDIS_PERSECOND_POOL_ON_EMPTY_BEHAVIOR'].map(
        (name) => `${name}: CREATE and ERROR have no effect here, and end the Go service at its start`,
      ),
    );
    const sinks = { USE_PROMETHEUS: '1', USE_STATSD: 't' };
    expect(warnings(sinks)).to.deep.equal([
      'USE_STATSD, USE_PROMETHEUS: all are told here; more than one ends the Go service at its start',
    ]);
    expect(warnings({ ...sinks, DISABLE_STATS: 'true' })).to.deep.equal([]);
  });

  it('leave alone what else is in the environment', () => {
    expect(wrong([], { PATH: '/bin', REDIS_URLS: 'x', port: 'x' })).to.deep.equal([]);
  });

  it('have the same defaults, but for the 12 that the differences from the Go service name', () => {
    const ours = new Map<string, string>(Object.values(SETTINGS).map((it) => [it.env, it.default]));
    const other = FIELD_NAMES.filter((name) => ours.has(name) && ours.get(name) !== FIELD_DEFAULTS[name]);
    const named = loadDifferences().flatMap(({ settings = [] }) => settings);
    expect(other).to.have.members(named);
    expect(named).to.have.length(12);
  });
});

describe('settings of the control plane', () => {
  it('have the values of the Go service when nobody says anything', () => {
    const { settings } = read([], { CONFIG_TYPE: 'grpc_xds_sotw' });
    expect(settings).to.include({
      configType: 'GRPC_XDS_SOTW',
      xdsServer: 'localhost:18000',
      xdsNodeId: 'default',
      xdsRetryMs: 3_000,
      xdsBackoffInitialMs: 10_000,
      xdsBackoffMaxMs: 60_000,
      xdsBackoffFactor: 0.5,
      xdsBackoffJitter: true,
      xdsTls: false,
    });
    expect([settings.xdsNodeMetadata, settings.xdsHeaders]).to.deep.equal([{}, {}]);
  });

  it('take metadata as k=v and headers as k:v, with the sign in the value too', () => {
    const env = {
      CONFIG_GRPC_XDS_NODE_METADATA: 'zone=a, url=http://x?y=z',
      CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: 'authorization:Bearer a:b,x-y:1',
    };
    const { settings } = read([], env);
    expect(settings.xdsNodeMetadata).to.deep.equal({ zone: 'a', url: 'http://x?y=z' });
    expect(settings.xdsHeaders).to.deep.equal({ authorization: 'Bearer a:b', 'x-y': '1' });
  });

  it('refuse headers that gRPC could not send, without telling them', () => {
    const wrongHeaders = (value: string) => wrong([], { CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: value });
    const name = 'CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS';
    expect(wrongHeaders('secret')).to.deep.equal([`${name}: expected key:value,key:value`]);
    expect(wrongHeaders('a b:c')).to.deep.equal([`${name}: expected names of letters, digits, _, - and .`]);
    expect(wrongHeaders('a:é')).to.deep.equal([`${name}: expected values of printable ASCII`]);
  });

  it('refuse a CONFIG_TYPE that is neither files nor a control plane', () => {
    expect(wrong([], { CONFIG_TYPE: 'GRPC_XDS_DELTA' })).to.deep.equal([
      'CONFIG_TYPE: expected one of FILE, GRPC_XDS_SOTW',
    ]);
  });
});

describe('settings of mogrifiers', () => {
  const named = (env: Record<string, string>) => ({ USE_DOG_STATSD_MOGRIFIERS: 'A, B', ...env });
  const A = { DOG_STATSD_MOGRIFIER_A_PATTERN: 'x(.)', DOG_STATSD_MOGRIFIER_A_NAME: 'y' };

  it('are read in the order of their names, with either prefix', () => {
    const B = { DOG_STATSD_MOGRIFIERS_B_PATTERN: 'z', DOG_STATSD_MOGRIFIERS_B_NAME: 'w' };
    expect(
      read([], named({ ...A, DOG_STATSD_MOGRIFIER_A_TAGS: 'first:$1,second:b:c', ...B })).mogrifiers,
    ).to.deep.equal([
      { key: 'A', pattern: 'x(.)', name: 'y', tags: { first: '$1', second: 'b:c' } },
      { key: 'B', pattern: 'z', name: 'w', tags: {} },
    ]);
  });

  it('are refused without a pattern and a name, or with tags that are none', () => {
    const second = 'DOG_STATSD_MOGRIFIER_<word 2 of USE_DOG_STATSD_MOGRIFIERS>';
    expect(wrong([], named({ ...A, DOG_STATSD_MOGRIFIER_B_TAGS: 'none' }))).to.deep.equal([
      `${second}_PATTERN: is missing`,
      `${second}_NAME: is missing`,
      `${second}_TAGS: expected key:value,key:value`,
    ]);
  });
});

describe('settings: help and table', () => {
  it('list every setting with its flag, what it is for and its default', () => {
    const help = settingsHelp();
    const table = settingsTable();
    for (const { env, doc, default: fallback } of Object.values(SETTINGS)) {
      const flag = `--${env.toLowerCase().replaceAll('_', '-')}`;
      expect(help).to.match(new RegExp(`^ {2}${flag}( <.+>)?\n {6}.*`, 'm'));
      expect(help).to.include(fallback === '' ? doc : `${doc} [${fallback}]`);
      expect(table).to.match(new RegExp(`^\\| \`${env}\` \\| \`${flag}\` \\| .* \\|$`, 'm'));
    }
  });

  it('group them: no group comes twice', () => {
    const groups = settingsHelp().match(/^\w.*:$/gm) ?? [];
    expect(groups).to.include('Ports:');
    expect(new Set(groups).size).to.equal(groups.length);
  });
});
