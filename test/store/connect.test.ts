import { expect } from 'chai';
import { type RedisTargetOptions, redactedUrl, redisTarget } from '../../src/store/redis/connect.ts';
import { keyBytes } from '../../src/store/redis/key-bytes.ts';

/** host:port, or the path; then user, password, database and tls where they are not empty. */
function told(options: RedisTargetOptions): string {
  const { address, username, password, db, tls } = redisTarget(options);
  const where = 'path' in address ? address.path : `${address.host} ${address.port}`;
  const rest = [username && `user=${username}`, password && `password=${password}`, db && `db=${db}`, tls && 'tls'];
  return [where, ...rest.filter(Boolean)].join(' ');
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
    [{ url: 'h:1', type: 'Cluster' }, /type cluster is not supported yet/],
    [{ url: 'h:1', type: 'SENTINEL' }, /type sentinel is not supported yet/],
    [{ url: 'h:1', type: 'ring' }, /unknown Redis type "ring"/],
    [{ url: 'h:1,h:2' }, /a list/],
    [{ url: 'http://h' }, /begins with http:/],
    [{ url: 'redis://u:SECRET@h:port' }, /\*\*\*\*\*@h:port is not of the form/],
    [{ url: 'h:99999' }, /not of the form/],
    [{ url: 'h:0' }, /no port/],
    [{ url: '' }, /not of the form|no host/],
    [{ url: 'unix:' }, /no socket path/],
    [{ url: 'redis://h/x' }, /database that is not a number/],
    [{ url: 'redis://h/?db=1' }, /after \? or #/],
    [{ url: 'redis://u:SECRET%zz@h' }, /broken % sequence/],
    [{ url: 'h:1', db: -1 }, /database must be/],
  ];
  for (const [options, sentence] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => redisTarget(options))
        .to.throw(Error, sentence)
        .with.property('message')
        .that.does.not.contain('SECRET');
    });
  }
});

describe('the address for logs', () => {
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
});
