import { expect } from 'chai';
import { keyBytes } from '../../src/store/redis/key-bytes.ts';
import {
  type HostPort,
  type RedisTarget,
  type RedisTargetOptions,
  redactedUrl,
  redisTarget,
} from '../../src/store/redis/target.ts';

/** The addresses; then master, user, password, database and tls where they are not empty. */
function told(options: RedisTargetOptions): string {
  const target = redisTarget(options);
  const { username, password, db, tls } = target;
  const rest = [username && `user=${username}`, password && `password=${password}`, db && `db=${db}`, tls && 'tls'];
  return [...addresses(target), ...rest.filter(Boolean)].join(' ');
}

function addresses(target: RedisTarget): string[] {
  const text = ({ host, port }: HostPort): string => `${host} ${port}`;
  switch (target.type) {
    case 'single':
      return ['path' in target.address ? target.address.path : text(target.address)];
    case 'cluster':
      return target.nodes.map(text);
    case 'sentinel': {
      const { username, password } = target.sentinel;
      const login = [username && `as=${username}`, password && `with=${password}`].filter((it) => it !== undefined);
      return [`${target.master}:`, ...target.sentinels.map(text), ...login];
    }
  }
}

describe('the address of Redis', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['redis:6379', 'redis 6379'],
    ['127.0.0.1:7000', '127.0.0.1 7000'],
    ['redis', 'redis 6379'],
    ['[::1]:6380', '::1 6380'],
    ['redis://h', 'h 6379'],
    ['redis://h:1/11', 'h 1 db=11'],
    ['redis://user:p%40ss@h:1/2', 'h 1 user=user password=p@ss db=2'],
    ['redis://:pass@h', 'h 6379 password=pass'],
    ['redis://pass@h', 'h 6379 password=pass'],
    ['rediss://h:1', 'h 1 tls'],
    ['REDIS://h:1', 'h 1'],
    ['user:pass@h:1', 'h 1 user=user password=pass'],
    ['/var/run/redis.sock', '/var/run/redis.sock'],
    ['unix:/var/run/redis.sock', '/var/run/redis.sock'],
    ['unix:///var/run/redis.sock', '/var/run/redis.sock'],
  ];
  for (const [url, expected] of forms) {
    it(`reads ${url} as ${expected}`, () => expect(told({ url })).to.equal(expected));
  }

  const lists: readonly (readonly [RedisTargetOptions, string])[] = [
    [{ type: 'sentinel', url: 'main,a:1,b' }, 'main: a 1 b 26379'],
    [{ type: 'Sentinel', url: 'main, a:1, b:2', auth: 'me:pw' }, 'main: a 1 b 2 user=me password=pw'],
    [{ type: 'sentinel', url: 'main,a:1', auth: 'pw', sentinelAuth: 'x:y' }, 'main: a 1 as=x with=y password=pw'],
    [{ type: 'sentinel', url: 'main,redis://:s@a:1/3,rediss://b' }, 'main: a 1 b 26379 with=s db=3 tls'],
    [{ type: 'cluster', url: 'a:1,b,[::1]:3' }, 'a 1 b 6379 ::1 3'],
    [{ type: 'CLUSTER', url: 'redis://u:p@a:1,redis://b:2' }, 'a 1 b 2 user=u password=p'],
    [{ type: 'cluster', url: 'rediss://a:1' }, 'a 1 tls'],
  ];
  for (const [options, expected] of lists) {
    it(`reads ${options.url} of a ${options.type} as ${expected}`, () => expect(told(options)).to.equal(expected));
  }

  it('takes auth before what the URL says, split at the first colon', () => {
    expect(told({ url: 'redis://u:p@h:1', auth: 'secret' })).to.equal('h 1 password=secret');
    expect(told({ url: 'h:1', auth: 'me:a:b' })).to.equal('h 1 user=me password=a:b');
    expect(told({ url: 'h:1', auth: ':a' })).to.equal('h 1 password=a');
    expect(told({ url: 'redis://u:p@h:1', auth: '' })).to.equal('h 1 user=u password=p');
  });

  it('takes db before what the URL says', () => {
    expect(told({ url: 'redis://h:1/2', db: 3 })).to.equal('h 1 db=3');
  });

  it('takes a path without a slash when the socket type is unix', () => {
    expect(told({ url: 'redis.sock', socketType: 'unix' })).to.equal('redis.sock');
  });

  const refused: readonly (readonly [RedisTargetOptions, RegExp])[] = [
    [{ url: 'h:1', socketType: 'unix' }, /h:1 is a TCP address, but the socket type is unix/],
    [{ url: '/s', socketType: 'tcp' }, /\/s is the path of a socket, but the socket type is tcp/],
    [{ url: 'redis://u:SECRET@h:1', socketType: 'unix' }, /redis:\/\/\*\*\*\*\*@h:1 is a TCP address/],
    [{ url: 'h:1', type: 'SENTINEL' }, /h:1 is not of the form master,sentinel:port/],
    [{ url: 'redis://:SECRET@h:1,h:2', type: 'sentinel' }, /is not of the form master,sentinel:port/],
    [{ url: 'main,redis://:SEC,RET@h:1', type: 'sentinel' }, /Redis URL is not of the form/],
    [{ url: 'redis://:SECRET@h:1/2', type: 'cluster' }, /no database but 0/],
    [{ url: '/s', type: 'cluster' }, /names/],
    [{ url: 'h:1', type: 'cluster', socketType: 'unix' }, /socket type is unix/],
    [{ url: 'h:1', type: 'ring' }, /unknown Redis type "ring"/],
    [{ url: 'h:1,h:2' }, /a list/],
    [{ url: 'http://h' }, /begins with http:/],
    [{ url: 'redis://u:SECRET@h:port' }, /Redis URL is not of the form/],
    [{ url: 'h:99999' }, /not of the form/],
    [{ url: 'h:0' }, /no port/],
    [{ url: '' }, /not of the form|no host/],
    [{ url: 'unix:' }, /no socket path/],
    [{ url: 'redis://h/x' }, /database that is not a number/],
    [{ url: 'redis://h/?db=1' }, /after \? or #/],
    [{ url: 'redis://u:SECRET%zz@h' }, /broken % sequence/],
    [{ url: 'h:1', db: -1 }, /database must be/],
  ];
  for (const [options, sentence] of refused)
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => redisTarget(options))
        .to.throw(Error, sentence)
        .with.property('message')
        .that.does.not.contain('SECRET');
    });
});

describe('the address for logs', () => {
  it('shows nothing of what stands after ? or #, nor of a URL that cannot be read', () => {
    for (const url of [
      'redis://127.0.0.1:6379?password=hunter2',
      'redis://:hunter2',
      'ann:hunter2',
      '127.0.0.1:1#hunter2',
    ]) {
      expect(redactedUrl(url.includes('?') || url.includes('#') ? url : '')).to.not.include('hunter2');
      let said = '';
      try {
        redisTarget({ url });
      } catch (error) {
        said = (error as Error).message;
      }
      expect(said)
        .to.match(/^the Redis URL /)
        .and.not.include('hunter2');
    }
    expect(() => redisTarget({ url: '127.0.0.1:1,password=hunter2', type: 'cluster' })).to.throw(
      /^the Redis URL names a host/,
    );
  });

  const masked: readonly (readonly [string, string])[] = [
    ['redis://u:p@h:1/2', 'redis://*****@h:1/2'],
    ['redis://:p@ss@h:1', 'redis://*****@h:1'],
    ['u:p@h:1', '*****@h:1'],
    ['h:1', 'h:1'],
    ['/var/run/s', '/var/run/s'],
    ['redis://u:p@a:1,redis://v:q@b:2', 'redis://*****@a:1,redis://*****@b:2'],
    ['main,redis://:p@a:1,rediss://:q,r@b:2', 'main,redis://*****@a:1,rediss://*****@b:2'],
  ];
  for (const [url, expected] of masked) {
    it(`shows ${expected}`, () => expect(redactedUrl(url)).to.equal(expected));
  }
});

describe('the bytes of a key', () => {
  it('are the text itself when it is well formed', () => {
    for (const key of ['', 'a_b_1', 'é😀\0\n']) expect(keyBytes(key)).to.equal(key);
  });

  it('are raw where a lone surrogate stands for a byte', () => {
    expect(keyBytes('a\udcff\udc80é😀\udce9z')).to.deep.equal(
      Buffer.concat([Buffer.from('a'), Buffer.of(0xff, 0x80), Buffer.from('é😀'), Buffer.of(0xe9), Buffer.from('z')]),
    );
  });

  it('are one buffer, not one for each unit, for 200,000 units of which some or all are raw bytes', () => {
    for (const pattern of ['\udcff', 'a\udc80', '😀\udcff', 'é€\udcff', '\ud83d\udcff', '\ud800a\udc00\udc7f']) {
      const key = `${pattern.repeat(200_000 / pattern.length)}\udcff`;
      const { bytes, calls } = countingFrom(() => keyBytes(key));
      expect(slowKeyBytes(key).equals(bytes as Buffer), JSON.stringify(pattern)).to.equal(true);
      expect(calls).to.equal(1);
    }
  });
});

/** The rule character by character; half a pair that stands for no byte is U+FFFD. */
function slowKeyBytes(key: string): Buffer {
  const characters = Array.from(key, (character) => {
    const unit = character.charCodeAt(0);
    return character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff ? Buffer.of(unit & 0xff) : Buffer.from(character);
  });
  return Buffer.concat(characters);
}

function countingFrom(made: () => string | Buffer): { readonly bytes: string | Buffer; readonly calls: number } {
  const { from } = Buffer;
  let calls = 0;
  Buffer.from = ((...args: Parameters<typeof from>) => {
    calls++;
    return from(...args);
  }) as typeof from;
  try {
    const bytes = made();
    return { bytes, calls };
  } finally {
    Buffer.from = from;
  }
}
