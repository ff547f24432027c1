import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed, listening } from './bed.ts';
import { type Copy, copy, needsNodeModules } from './copy.ts';
import { type Mariadb, needsMariadb, ownMariadb } from './mariadb.ts';
import { get } from './proxy.ts';

const EXAMPLE = '4-continents';
const TOKEN = 'demo-token';

describe('the API over a table', function () {
  this.timeout(300_000);
  let files: Copy;
  let database: Mariadb;
  let ours: Bed;
  let api: OwnProcess | undefined;

  before(async function () {
    needsRedis(this);
    needsMariadb();
    files = await copy();
    await needsNodeModules(this, files, EXAMPLE);
    database = await ownMariadb(files.path(EXAMPLE, 'schema.sql'));
  });
  after(async () => {
    await database?.stop();
    await files?.remove();
  });
  beforeEach(async () => {
    ours = await bed(files, EXAMPLE, { LOG_LEVEL: 'debug' });
  });
  afterEach(async () => {
    await api?.stop();
    api = undefined;
    await ours.close();
  });

  /** The port of the API. */
  async function started(file: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
    const { port, process } = await listening((PORT) =>
      ownProcess({
        name: file,
        command: globalThis.process.execPath,
        args: [file],
        env: { ...ours.env, DATABASE_URL: database.url, PORT, ...env },
        cwd: files.path(EXAMPLE),
      }),
    );
    api = process;
    return port;
  }
  const ask = (port: number, authorization: string) => get(port, '/continents', { authorization });
  async function statuses(port: number, ...credentials: readonly string[]): Promise<number[]> {
    const seen: number[] = [];
    for (const credential of credentials) seen.push((await ask(port, credential)).status);
    return seen;
  }
  const bearer = (times: number, token = TOKEN): string[] => Array(times).fill(`Bearer ${token}`);

  /** All that Redis is told while `act` runs, as MONITOR shows it. */
  async function told(act: () => Promise<unknown>): Promise<string> {
    const monitor = await ours.redis.client.monitor();
    const seen: string[] = [];
    monitor.on('monitor', (_time: string, words: readonly string[]) => seen.push(words.join(' ')));
    await act();
    await ours.redis.client.echo('the end');
    await eventually('the last command', () => seen.some((words) => words.includes('the end')));
    monitor.disconnect();
    return seen.join('\n');
  }

  it('says in a line that its port is taken, and by which word it has another', async () => {
    const port = await started('server.mjs');
    const env = { ...ours.env, DATABASE_URL: database.url, PORT: String(port) };
    const args = ['server.mjs'];
    const second = await ownProcess({
      name: 'a second',
      command: process.execPath,
      args,
      env,
      cwd: files.path(EXAMPLE),
    });
    expect((await second.ended).code).to.equal(1);
    expect(second.output()).to.match(/^listen EADDRINUSE: .*:\d+; with PORT=\.\.\. it listens elsewhere\n$/);
  });

  it('in its naive form writes the token of a caller into Redis', async () => {
    const port = await started('naive.mjs');
    expect(await told(() => statuses(port, ...bearer(6)))).to.include(TOKEN);
    expect(await ours.redis.client.keys('*')).to.deep.equal([`Bearer ${TOKEN}`]);
  });

  it('in its naive form has 3 counters for 3 spellings, and says -1 seconds of one whose EXPIRE never came', async () => {
    const port = await started('naive.mjs');
    await statuses(port, `Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer  ${TOKEN}`);
    expect(await ours.redis.client.keys('*')).to.have.lengthOf(3);

    await ours.redis.client.set('Bearer of-a-dead-process', 5);
    const { status, body } = await ask(port, 'Bearer of-a-dead-process');
    expect([status, JSON.parse(body)]).to.deep.equal([429, { error: 'Too many requests. Try again in -1 seconds.' }]);
  });

  it('serves a credential 5 times, and tells Redis, the log and the metrics nothing of the token', async () => {
    const port = await started('server.mjs');
    let seen: readonly number[] = [];
    const commands = await told(async () => {
      seen = await statuses(port, ...bearer(6));
    });
    expect(seen).to.deep.equal([200, 200, 200, 200, 200, 429]);
    const [keys, values] = [await ours.redis.client.keys('*'), await kept()];
    expect(keys).to.have.lengthOf.at.least(2);
    const metrics = await (await fetch(ours.env.WEIR_METRICS as string)).text();
    const log = ours.weir.process().output();
    for (const text of [commands, keys.join('\n'), values, metrics, log]) {
      expect(text).not.to.equal('');
      for (const word of [TOKEN, Buffer.from(TOKEN).toString('base64'), Buffer.from(TOKEN).toString('hex')]) {
        expect(text).not.to.include(word);
      }
    }
  });

  /** The dump of every key. */
  async function kept(): Promise<string> {
    const keys = await ours.redis.client.keys('*');
    const dumps = await Promise.all(keys.map((key) => ours.redis.client.dumpBuffer(key)));
    return dumps.map((dump) => dump?.toString('latin1')).join('\n');
  }

  it('answers with the 7 continents, and when refused with the seconds to wait in words, JSON and Retry-After', async () => {
    const port = await started('server.mjs');
    const { body } = await ask(port, `Bearer ${TOKEN}`);
    const { continents } = JSON.parse(body) as { continents: { code: string; name: string }[] };
    expect(continents).to.have.lengthOf(7);
    expect(continents[0]).to.deep.equal({ code: 'AF', name: 'Africa' });

    await statuses(port, ...bearer(4));
    const refused = await ask(port, `Bearer ${TOKEN}`);
    const seconds = refused.headers['retry-after'];
    expect(JSON.parse(refused.body)).to.include({
      error: 'rate_limited',
      message: `Too many requests. Try again in ${seconds} seconds.`,
      retry_after_seconds: Number(seconds),
    });
  });

  it('takes `bearer`, `BEARER` and two blanks for the same credential', async () => {
    const port = await started('server.mjs');
    const spellings = [
      `bearer ${TOKEN}`,
      `BEARER ${TOKEN}`,
      `Bearer   ${TOKEN}`,
      `Bearer ${TOKEN} `,
      `bEaReR ${TOKEN}`,
    ];
    expect(await statuses(port, ...spellings, `Bearer ${TOKEN}`)).to.deep.equal([...Array(5).fill(200), 429]);
  });

  it('answers 401 to tokens it does not know, and 429 when an address has tried 60', async () => {
    const port = await started('server.mjs');
    const invented = Array.from({ length: 61 }, (_, n) => `Bearer invented-${n}`);
    expect(await statuses(port, ...invented)).to.deep.equal([...Array(60).fill(401), 429]);
  });

  it('answers 401 without a token', async () => {
    const port = await started('server.mjs');
    expect(await statuses(port, '', 'Basic YTpi', 'Bearer')).to.deep.equal([401, 401, 401]);
  });

  it('answers 503 with JSON when the database is down', async () => {
    const other = await ownMariadb(files.path(EXAMPLE, 'schema.sql'));
    try {
      const port = await started('server.mjs', { DATABASE_URL: other.url });
      expect(await statuses(port, `Bearer ${TOKEN}`)).to.deep.equal([200]);
      await other.kill();
      const { status, headers, body } = await ask(port, `Bearer ${TOKEN}`);
      expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
      expect(JSON.parse(body)).to.include({ error: 'unavailable' });
    } finally {
      await other.stop();
    }
  });

  for (const [part, kill] of [
    ['Redis', () => ours.redis.kill()],
    ['weir', () => ours.weir.kill()],
  ] as const) {
    it(`serves without counting when ${part} is down, or answers 503 with JSON under ON_FAILURE=deny`, async () => {
      await kill();
      expect(await statuses(await started('server.mjs'), ...bearer(6))).to.deep.equal(Array(6).fill(200));
      await api?.stop();

      const { status, body } = await ask(await started('server.mjs', { ON_FAILURE: 'deny' }), `Bearer ${TOKEN}`);
      expect(status).to.equal(503);
      expect(JSON.parse(body)).to.include({ error: 'rate_limit_unavailable' });
    });
  }
});
