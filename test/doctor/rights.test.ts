import { expect } from 'chai';
import { aclLine, commandsNeeded, commandsOfScripts, untried } from '../../src/doctor/redis/rights.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Diagnosis, diagnosis, type Ground, ground } from './asking.ts';

describe('rights that counting takes', () => {
  it('are the 5 commands of the script, and 3 of the client, with SELECT for another database than 0 and 2 more for a cluster', () => {
    expect(commandsOfScripts()).to.include.members(['del', 'expire', 'get', 'incrby', 'set']);
    expect(commandsNeeded({ db: 0, cluster: false })).to.deep.equal([
      'evalsha',
      'eval',
      'ping',
      ...commandsOfScripts(),
    ]);
    expect(commandsNeeded({ db: 3, cluster: false })).to.include('select');
    expect(commandsNeeded({ db: 0, cluster: true })).to.include.members(['cluster|slots', 'asking']);
  });

  it('can each be tried without changing anything', () => {
    expect(untried()).to.deep.equal([]);
  });

  it('are given by a line with a pattern of the prefix, in which stars stand for themselves', () => {
    expect(aclLine({ username: undefined, prefix: '', db: 0, cluster: false }, { keys: true })).to.match(
      /^ACL SETUSER default ~\* \+evalsha \+eval /,
    );
    expect(aclLine({ username: 'bob', prefix: 'a*[b]:', db: 0, cluster: false }, { keys: true })).to.contain(
      String.raw`"~a\\*\\[b\\]:*"`,
    );
  });
});

describe('weir doctor and ACL users', () => {
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

  async function as(rules: readonly string[], flags: readonly string[] = []): Promise<Diagnosis> {
    await redis.client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>bobs-secret', ...rules);
    const url = ['--redis-url', redis.url, '--redis-auth', 'bob:bobs-secret'];
    return diagnosis([...place.flags, ...url, ...flags]);
  }

  it('names the commands that a user lacks, and the line that mends it', async () => {
    const { code, named, text } = await as(['~*', '+@all', '-incrby', '-expire', '-evalsha']);
    expect(code).to.equal(1);
    const { says, todo } = named('store.rights')[0]!;
    expect(says).to.match(/does not let the user bob run evalsha, expire, incrby$/);
    expect(todo).to.match(/^tell Redis: ACL SETUSER bob \+evalsha /);
    expect(text).to.not.contain('bobs-secret');
    expect(await redis.client.keys('*')).to.deep.equal([]);
  });

  it('is content once that line was written, whatever the user lacked before', async () => {
    const flags = ['--cache-key-prefix', 'w*r:'];
    const before = await as([], flags);
    const line = before.named('store.rights')[0]!.todo.replace('tell Redis: ', '');
    await redis.client.call(
      'ACL',
      ...line
        .split(' ')
        .slice(1)
        .map((word) => (word.startsWith('"') ? JSON.parse(word) : word)),
    );
    const after = await diagnosis([
      ...place.flags,
      ...flags,
      '--redis-url',
      redis.url,
      '--redis-auth',
      'bob:bobs-secret',
    ]);
    expect([after.code, after.troubles]).to.deep.equal([0, ['warn store.unseen']]);
    expect(after.named('store.script')[0]!.mark).to.equal('ok');
  });

  it('gives no further keys to a user who lacks a command only, so that Redis takes the line', async () => {
    const flags = ['--cache-key-prefix', 'w:'];
    const { named } = await as(['~*', '+@all', '-incrby'], flags);
    await redis.client.call('ACL', ...named('store.rights')[0]!.todo.replace('tell Redis: ', '').split(' ').slice(1));
    const bob = ['--redis-url', redis.url, '--redis-auth', 'bob:bobs-secret'];
    expect((await diagnosis([...place.flags, ...bob, ...flags])).troubles).to.deep.equal([]);
  });

  it('says which key a user may not use', async () => {
    const { named } = await as(['~other:*', '+@all']);
    expect(named('store.rights')[0]!.says).to.match(/does not let the user bob use a key such as edge_weir_doctor_/);
  });

  it('tells the line that mends it to a user who may not even select the database', async () => {
    const flags = ['--redis-db', '1', '--cache-key-prefix', 'w:'];
    const before = await as(['~w:*', '+@all', '-select'], flags);
    expect([before.code, before.troubles]).to.deep.equal([1, ['fail store.noperm']]);
    const { says, todo } = before.named('store.noperm')[0]!;
    expect(says).to.match(/lets this user log in, but not select database 1$/);
    expect(todo).to.match(/^tell Redis: ACL SETUSER bob ~w:\* \+evalsha .* \+select /);
    await redis.client.call('ACL', ...todo.replace('tell Redis: ', '').split(' ').slice(1));
    const bob = ['--redis-url', redis.url, '--redis-auth', 'bob:bobs-secret'];
    expect((await diagnosis([...place.flags, ...bob, ...flags])).troubles).to.deep.equal([]);
  });

  it('tries keys of the domains that the rules name', async () => {
    const two = await ground('domain: edge\n');
    const other = await ground('domain: inner\n');
    await redis.client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>bobs-secret', '~edge_*', '+@all');
    const flags = ['--redis-url', redis.url, '--redis-auth', 'bob:bobs-secret'];
    expect((await diagnosis([...two.flags, ...flags])).troubles).to.deep.equal([]);
    expect((await diagnosis([...other.flags, ...flags])).troubles).to.deep.equal(['fail store.rights']);
    await Promise.all([two.remove(), other.remove()]);
  });
});
