import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { admin } from '../../src/http/admin.ts';
import { bearer } from '../../src/http/bearer.ts';
import { profiles } from '../../src/http/profiles.ts';
import { rulesHistory } from '../../src/http/rules-history.ts';
import { type HttpServer, httpServer } from '../../src/http/server.ts';
import { fetchFrom } from './client.ts';

const GUARDED = [
  '/rlconfig',
  '/rules',
  '/stats',
  '/metrics',
  '/debug/pprof/',
  '/debug/pprof/profile',
  '/debug/pprof/heap',
];

describe('the token of the admin port', () => {
  let dir: string;
  let file: string;
  let troubles: string[];
  let server: HttpServer;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-token-'));
    file = join(dir, 'token');
    troubles = [];
    await writeFile(file, 'first\n');
    const pages = admin({
      rules: rulesHistory({ nowUs: () => 0 }),
      metrics: { contentType: 'text/plain', metrics: async () => 'a 1\n' },
      profiles: profiles(false),
      guard: bearer({ file, onTrouble: (because) => troubles.push(because) }),
      format: () => '',
    });
    server = httpServer({ name: 'admin', host: '127.0.0.1', port: 0, ...pages });
    await server.start();
  });
  afterEach(async () => {
    await server.stop();
    await rm(dir, { recursive: true });
  });

  const get = (path: string, authorization?: string) =>
    fetchFrom(server, path, authorization === undefined ? {} : { headers: { authorization } });
  const status = async (path: string, authorization?: string) => (await get(path, authorization)).status;

  it('guards every page but / and those of probes', async () => {
    for (const path of ['/', '/healthcheck', '/livez', '/readyz']) expect(await status(path), path).to.equal(200);
    for (const path of [...GUARDED, '/nowhere', '//', '/healthcheck/']) expect(await status(path), path).to.equal(401);
    expect((await get('/rules')).headers['www-authenticate']).to.equal('Bearer');
  });

  it('lets in who bears it', async () => {
    for (const authorization of ['Bearer first', 'bearer first', 'BEARER  first ']) {
      expect(await status('/metrics', authorization), authorization).to.equal(200);
    }
  });

  for (const authorization of [
    '',
    'Bearer',
    'Bearer ',
    'first',
    'Basic first',
    'Bearer firs',
    'Bearer first2',
    'Bearer First',
  ]) {
    it(`refuses "${authorization}"`, async () => {
      expect(await status('/metrics', authorization)).to.equal(401);
    });
  }

  it('is another one as soon as the file is another one', async () => {
    await writeFile(`${file}.new`, 'second');
    await rename(`${file}.new`, file);
    expect([await status('/metrics', 'Bearer first'), await status('/metrics', 'Bearer second')]).to.deep.equal([
      401, 200,
    ]);
  });

  for (const [what, text] of Object.entries({ empty: '', 'two words': 'one two', 'two lines': 'one\ntwo\n' })) {
    it(`lets nobody in while the file is ${what}`, async () => {
      await writeFile(file, text);
      for (const authorization of ['Bearer ', 'Bearer one', 'Bearer first']) {
        expect(await status('/metrics', authorization)).to.equal(503);
      }
      expect(troubles.join()).to.include('must hold a token alone');
      expect(troubles.join()).not.to.include('two');
      expect(() => bearer({ file, onTrouble: () => {} })).to.throw('must hold a token alone');
    });
  }

  it('lets nobody in while the file is gone, and says so', async () => {
    await rm(file);
    expect(await status('/metrics', 'Bearer first')).to.equal(503);
    expect(troubles).to.deep.equal([`${file} cannot be read: ENOENT`]);
    expect(() => bearer({ file, onTrouble: () => {} })).to.throw('cannot be read: ENOENT');
  });
});
