import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Finding } from '../../src/doctor/finding.ts';
import { freePort } from '../support/port.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type OneSentinel, oneSentinel } from '../support/redis-sentinel.ts';
import { type Diagnosis, diagnosis, type Ground, ground } from './asking.ts';

const PASSWORD = 'open-sesame-7431';
const OF_MAIN = /\bREDIS_(URL|TYPE|AUTH|AUTH_FILE|SENTINEL_AUTH|SENTINEL_AUTH_FILE|DB|TLS)\b/;

describe('the settings that weir doctor names', () => {
  let place: Ground;
  let directory: string;
  let free: OwnRedis;
  let locked: OwnRedis;
  let node: OwnRedis;
  let nowhere: string;

  before(async function () {
    needsRedis(this);
    place = await ground();
    directory = await mkdtemp(join(tmpdir(), 'weir-names-'));
    free = await ownRedis();
    locked = await ownRedis({ args: ['--requirepass', PASSWORD], password: PASSWORD });
    node = await ownRedis({ args: ['--cluster-enabled', 'yes'] });
    nowhere = `127.0.0.1:${await freePort()}`;
  });

  after(async () => {
    await Promise.all([free?.stop(), locked?.stop(), node?.stop(), place?.remove()]);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  const main = (env: NodeJS.ProcessEnv): Promise<Diagnosis> => diagnosis(place.flags, env);
  const perSecond = (env: NodeJS.ProcessEnv): Promise<Diagnosis> =>
    diagnosis(place.flags, { REDIS_URL: free.url, REDIS_PERSECOND: 'true', ...env });
  async function file(name: string, text: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  }
  const trouble = ({ findings }: Diagnosis): Finding => {
    const found = findings.filter(({ mark }) => mark === 'fail');
    expect(found, JSON.stringify(found)).to.have.length(1);
    return found[0]!;
  };

  describe('for a login that is refused', () => {
    it('are REDIS_AUTH where none is set', async () => {
      const { todo } = trouble(await main({ REDIS_URL: locked.url }));
      expect(todo).to.equal('write password or user:password into REDIS_AUTH');
    });

    it('are REDIS_AUTH, which beats the URL', async () => {
      const { todo } = trouble(await main({ REDIS_URL: `redis://:x@${locked.url}`, REDIS_AUTH: 'wrong' }));
      expect(todo).to.match(/^mend REDIS_AUTH \(password/);
    });

    it('are REDIS_AUTH_FILE, which beats both', async () => {
      const REDIS_AUTH_FILE = await file('wrong', 'wrong\n');
      const { todo } = trouble(await main({ REDIS_URL: locked.url, REDIS_AUTH: PASSWORD, REDIS_AUTH_FILE }));
      expect(todo).to.match(/^mend the file of REDIS_AUTH_FILE \(password/);
    });

    it('are REDIS_AUTH_FILE for a file that is empty', async () => {
      const REDIS_AUTH_FILE = await file('empty', '\n');
      const { name, todo } = trouble(await main({ REDIS_URL: locked.url, REDIS_AUTH_FILE }));
      expect([name, todo]).to.deep.equal([
        'store.noauth',
        'write password or user:password into the file of REDIS_AUTH_FILE',
      ]);
    });

    it('are REDIS_URL for a password in it', async () => {
      const { todo } = trouble(await main({ REDIS_URL: `redis://:wrong@${locked.url}` }));
      expect(todo).to.match(/^mend the login in REDIS_URL \(password/);
    });

    it('are REDIS_AUTH_FILE for a file that is not there, and the exit code is 2', async () => {
      const found = await main({ REDIS_URL: locked.url, REDIS_AUTH_FILE: '/no/such' });
      expect([found.code, trouble(found).says]).to.deep.equal([
        2,
        "REDIS_AUTH_FILE: the Redis password file /no/such can't be used: ENOENT",
      ]);
    });

    it('have PERSECOND in their names for the second Redis', async () => {
      const REDIS_PERSECOND_AUTH_FILE = await file('wrong', 'wrong\n');
      for (const [env, expected] of [
        [{ REDIS_PERSECOND_URL: locked.url, REDIS_AUTH: '' }, 'into REDIS_PERSECOND_AUTH'],
        [{ REDIS_PERSECOND_URL: locked.url, REDIS_PERSECOND_AUTH: 'wrong' }, 'mend REDIS_PERSECOND_AUTH ('],
        [
          { REDIS_PERSECOND_URL: locked.url, REDIS_PERSECOND_AUTH_FILE },
          'mend the file of REDIS_PERSECOND_AUTH_FILE (',
        ],
        [{ REDIS_PERSECOND_URL: `redis://:wrong@${locked.url}` }, 'mend the login in REDIS_PERSECOND_URL ('],
        [{ REDIS_PERSECOND_URL: locked.url, REDIS_PERSECOND_AUTH_FILE: '/no/such' }, 'REDIS_PERSECOND_AUTH_FILE: the'],
      ] as const) {
        const { says, todo } = trouble(await perSecond(env));
        expect(`${says} ${todo}`).to.contain(expected).and.not.match(OF_MAIN);
      }
    });
  });

  describe('for the second Redis', () => {
    const cases: readonly (readonly [string, () => NodeJS.ProcessEnv, string, string])[] = [
      ['nobody listens', () => ({ URL: nowhere }), 'refused', 'REDIS_PERSECOND_URL'],
      ['a name does not resolve', () => ({ URL: 'redis.invalid:1' }), 'dns', 'REDIS_PERSECOND_URL'],
      ['there is no such socket', () => ({ URL: '/no/such.sock' }), 'socket', 'REDIS_PERSECOND_URL'],
      ['there is no such database', () => ({ URL: `redis://${free.url}/99` }), 'db', 'REDIS_PERSECOND_URL'],
      ['the address is broken', () => ({ URL: 'http://h:1' }), 'wrong', 'REDIS_PERSECOND_URL'],
      ['it is a node of a cluster', () => ({ URL: node.url }), 'kind', 'REDIS_PERSECOND_TYPE=cluster'],
      ['it is no cluster', () => ({ URL: free.url, TYPE: 'cluster' }), 'cluster', 'REDIS_PERSECOND_TYPE=single'],
      ['TLS is asked of a port without', () => ({ URL: free.url, TLS: 'true' }), 'tls', 'REDIS_PERSECOND_TLS=false'],
      ['the URL asks for that TLS', () => ({ URL: `rediss://${free.url}` }), 'tls', 'redis:// in REDIS_PERSECOND_URL'],
      ['no sentinel is there', () => ({ URL: `m,${nowhere}`, TYPE: 'sentinel' }), 'refused', 'REDIS_PERSECOND_URL'],
      ['it is no sentinel', () => ({ URL: `m,${free.url}`, TYPE: 'sentinel' }), 'master', 'REDIS_PERSECOND_URL'],
    ];
    for (const [what, env, name, expected] of cases) {
      it(`are its own when ${what}: ${expected}`, async () => {
        const own = Object.entries(env()).map(([end, value]) => [`REDIS_PERSECOND_${end}`, value]);
        const { findings } = await perSecond(Object.fromEntries(own));
        const found = findings.filter(({ mark }) => mark === 'fail');
        const texts = found.map(({ says, todo }) => `${says} ${todo}`).join('\n');
        expect(found.map((it) => it.name.split('.')[1])).to.include(name);
        expect(texts).to.contain(expected).and.not.match(OF_MAIN);
      });
    }
  });

  it('is REDIS_DB for a database that it asks for', async () => {
    const { name, todo } = trouble(await main({ REDIS_URL: free.url, REDIS_DB: '99' }));
    expect([name, todo]).to.deep.equal(['store.db', 'mend REDIS_DB; a Redis has 16 unless told otherwise']);
  });

  describe('behind a sentinel', () => {
    let sentinel: OneSentinel;

    before(async () => {
      const masters = { there: locked.port, away: nowhere.split(':')[1] };
      const lines = Object.entries(masters).map(([name, at]) => `sentinel monitor ${name} 127.0.0.1 ${at} 1`);
      sentinel = await oneSentinel({ password: PASSWORD, lines });
    });

    after(() => sentinel?.stop());

    const behind = (env: NodeJS.ProcessEnv, master = 'there'): Promise<Diagnosis> =>
      main({ REDIS_TYPE: 'sentinel', REDIS_URL: `${master},${sentinel.url}`, ...env });

    it('are REDIS_SENTINEL_AUTH for its own password, and nothing is said of the master', async () => {
      const found = await behind({ REDIS_AUTH: PASSWORD });
      expect(found.troubles).to.deep.equal(['fail store.noauth']);
      expect(trouble(found).todo).to.equal('write password or user:password into REDIS_SENTINEL_AUTH');
    });

    it('are REDIS_SENTINEL_AUTH_FILE where that is set', async () => {
      const REDIS_SENTINEL_AUTH_FILE = await file('wrong', 'wrong\n');
      const { todo } = trouble(await behind({ REDIS_SENTINEL_AUTH: PASSWORD, REDIS_SENTINEL_AUTH_FILE }));
      expect(todo).to.match(/^mend the file of REDIS_SENTINEL_AUTH_FILE \(/);
    });

    it('are REDIS_AUTH for the password of the master, as the login in REDIS_URL is that of the sentinels', async () => {
      const { name, todo } = trouble(await behind({ REDIS_URL: `there,redis://:${PASSWORD}@${sentinel.url}` }));
      expect([name, todo]).to.deep.equal(['store.noauth', 'write password or user:password into REDIS_AUTH']);
    });

    it('are none for a master that is not where the sentinels say', async () => {
      const { says, todo } = trouble(await behind({ REDIS_SENTINEL_AUTH: PASSWORD }, 'away'));
      expect(says).to.equal(`Redis at ${nowhere} is not there: nobody listens`);
      expect(todo).to.equal('start Redis, or mend host and port in what the sentinels say (SENTINEL MASTER)');
    });

    it('finds nothing wrong with both passwords in files', async () => {
      const right = await file('right', `${PASSWORD}\n`);
      const { code, troubles } = await behind({ REDIS_AUTH_FILE: right, REDIS_SENTINEL_AUTH_FILE: right });
      expect([code, troubles]).to.deep.equal([0, []]);
    });
  });

  it('are not lost when no sentinel answers: each is named, and nobody says that none knows the master', async () => {
    const other = `127.0.0.1:${await freePort()}`;
    const { troubles } = await main({ REDIS_TYPE: 'sentinel', REDIS_URL: `m,${nowhere},${other}` });
    expect(troubles).to.deep.equal(['fail store.refused', 'fail store.refused']);
  });
});
