import { expect } from 'chai';
import { WITHOUT_EFFECT } from '../../src/go-names.ts';
import {
  type ReadSettings,
  readSettings,
  SETTINGS,
  SettingsError,
  settingsHelp,
  settingsTable,
} from '../../src/settings.ts';
import { FIELD_NAMES } from './field-names.ts';

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
      BACKEND_TYPE: 'memcache',
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
  it('know all 114 of them: each has a setting or is listed as without effect, never both', () => {
    expect(FIELD_NAMES).to.have.length(114);
    const known = [...NAMES, ...WITHOUT_EFFECT];
    expect(FIELD_NAMES.filter((name) => !known.includes(name))).to.deep.equal([]);
    expect(WITHOUT_EFFECT.filter((name) => NAMES.includes(name))).to.deep.equal([]);
  });

  it('list nothing as without effect that the Go service does not read', () => {
    expect(WITHOUT_EFFECT.filter((name) => !FIELD_NAMES.includes(name))).to.deep.equal([]);
    expect(new Set(WITHOUT_EFFECT).size).to.equal(WITHOUT_EFFECT.length);
  });

  it('tell those that are set and have no effect, unless they are empty, and refuse none', () => {
    const env = { USE_STATSD: 'false', TRACING_ENABLED: 'nonsense', GRPC_UDS: '', PORT: '1', PATH: '/bin' };
    expect(read([], env).ignored).to.have.members(['USE_STATSD', 'TRACING_ENABLED']);
  });

  it('leave alone what else is in the environment', () => {
    expect(wrong([], { PATH: '/bin', REDIS_URLS: 'x', port: 'x' })).to.deep.equal([]);
  });

  it('have the same defaults, but for the store, the log and the format of its lines', () => {
    const theirs: Record<string, string> = {
      HOST: '0.0.0.0',
      PORT: '8080',
      DEBUG_HOST: '0.0.0.0',
      DEBUG_PORT: '6070',
      GRPC_HOST: '0.0.0.0',
      GRPC_PORT: '8081',
      GRPC_MAX_CONNECTION_AGE: '24h',
      GRPC_MAX_CONNECTION_AGE_GRACE: '1h',
      FORCE_START_WITHOUT_INITIAL_CONFIG: 'false',
      USE_PROMETHEUS: 'false',
      PROMETHEUS_ADDR: ':9090',
      PROMETHEUS_PATH: '/metrics',
      RUNTIME_ROOT: '/srv/runtime_data/current',
      RUNTIME_SUBDIRECTORY: '',
      RUNTIME_APPDIRECTORY: 'config',
      RUNTIME_IGNOREDOTFILES: 'false',
      RUNTIME_WATCH_ROOT: 'true',
      EXPIRATION_JITTER_MAX_SECONDS: '300',
      LOCAL_CACHE_SIZE_IN_BYTES: '0',
      NEAR_LIMIT_RATIO: '0.8',
      CACHE_KEY_PREFIX: '',
      STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: 'false',
      LIMIT_RESPONSE_HEADERS_ENABLED: 'false',
      LIMIT_LIMIT_HEADER: 'RateLimit-Limit',
      LIMIT_REMAINING_HEADER: 'RateLimit-Remaining',
      LIMIT_RESET_HEADER: 'RateLimit-Reset',
      HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: 'false',
      REDIS_AUTH: '',
      REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: 'false',
      REDIS_TIMEOUT: '10s',
      REDIS_SENTINEL_AUTH: '',
      REDIS_TLS: 'false',
      REDIS_TLS_CACERT: '',
      REDIS_TLS_CLIENT_CERT: '',
      REDIS_TLS_CLIENT_KEY: '',
      REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: 'false',
      REDIS_POOL_SIZE: '10',
      REDIS_PIPELINE_WINDOW: '0',
      REDIS_PERSECOND: 'false',
      REDIS_PERSECOND_AUTH: '',
      REDIS_PERSECOND_SENTINEL_AUTH: '',
      REDIS_PERSECOND_TLS: 'false',
      REDIS_PERSECOND_POOL_SIZE: '10',
      REDIS_PERSECOND_PIPELINE_WINDOW: '0',
      REDIS_PERSECOND_TIMEOUT: '10s',
      SHADOW_MODE: 'false',
      QUOTA_MODE: 'false',
      RESPONSE_DYNAMIC_METADATA: 'false',
      MERGE_DOMAIN_CONFIG: 'false',
    };
    const ours = Object.fromEntries(Object.values(SETTINGS).map((it) => [it.env, it.default]));
    const shared = FIELD_NAMES.filter((name) => NAMES.includes(name));
    expect(shared.filter((name) => ours[name] !== theirs[name])).to.have.members([
      ...['BACKEND_TYPE', 'REDIS_URL', 'REDIS_TYPE', 'REDIS_SOCKET_TYPE', 'REDIS_POOL_SIZE', 'LOG_LEVEL', 'LOG_FORMAT'],
      ...['REDIS_PERSECOND_URL', 'REDIS_PERSECOND_TYPE', 'REDIS_PERSECOND_SOCKET_TYPE', 'REDIS_PERSECOND_POOL_SIZE'],
    ]);
  });
});

describe('settings that ask for what is not there yet', () => {
  const refusalOf = (env: Record<string, string>) => {
    try {
      readSettings([], env);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('stop the start: TLS on the gRPC port, rules over xDS', () => {
    expect(refusalOf({ GRPC_SERVER_USE_TLS: 'true' })).to.equal(
      'GRPC_SERVER_USE_TLS: TLS on the gRPC port is not supported yet',
    );
    expect(refusalOf({ CONFIG_TYPE: 'GRPC_XDS_SOTW' })).to.equal('CONFIG_TYPE: only FILE is supported yet');
  });

  it('do not stop it when they ask for nothing', () => {
    expect(refusalOf({ GRPC_SERVER_USE_TLS: 'false', CONFIG_TYPE: 'file' })).to.equal(null);
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
