import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { pythonBin } from '../clients/package.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { rulesetOf } from '../rules/rules.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { needsRedis } from '../support/redis.ts';
import { type Copy, copy, needsNodeModules, needsPython, succeeds } from './copy.ts';
import { needsMariadb } from './mariadb.ts';

/** It is told of a limit, and says how long to wait. */
const SECONDS = /(\bin |wait_seconds=)\d+/g;
const withoutSeconds = (text: string): string => text.replace(SECONDS, '$1N');
const START_MS = 120_000;

describe('the command of a README', function () {
  this.timeout(300_000);
  let files: Copy;
  let running: OwnProcess | undefined;
  before(async function () {
    needsRedis(this);
    files = await copy();
    await needsPython(this, files);
  });
  after(() => files?.remove());
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  /** Of the section "Run it": what to type at the root of a checkout, and what is shown. */
  function told(example: string): { readonly command: string; readonly shown: string } {
    const [, section = ''] =
      /^## Run it\n([\s\S]*?)^## /m.exec(readFileSync(files.path(example, 'README.md'), 'utf8')) ?? [];
    const block = (language: string) => new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'm').exec(section)?.[1];
    return { command: block('sh')?.trim() ?? 'false', shown: block('text') ?? '' };
  }

  async function typed(command: string, env: Readonly<Record<string, string>> = {}): Promise<OwnProcess> {
    const settings = { REDIS_COMMAND_TIMEOUT: '10s', MAX_LOOP_LAG: '0', WEIR_TIMEOUT: '20', WEIR_TIMEOUT_MS: '20000' };
    running = await ownProcess({
      name: command,
      command: 'sh',
      args: ['-c', `exec ${command}`],
      env: { ...files.pythonEnv, ...settings, TMPDIR: files.temporary, ...env },
      cwd: files.root,
    });
    return running;
  }

  /** Started for the example, and gone with it. */
  const left = (): readonly string[] => readdirSync(files.temporary).filter((name) => name.startsWith('weir-'));

  for (const example of ['1-class', '2-token-bucket']) {
    it(`of ${example} prints what is shown there, and leaves nothing behind`, async () => {
      await files.lengthenWindows(example);
      const demo = files.path(example, 'demo.py');
      const text = await readFile(demo, 'utf8');
      await writeFile(demo, text.replace('window=60', 'window=86400').replaceAll('timeout=1', 'timeout=20'));
      const { command, shown } = told(example);
      const child = await typed(command);
      expect((await child.ended).code, child.output()).to.equal(0);
      expect(shown).not.to.equal('');
      expect(withoutSeconds(child.output())).to.equal(withoutSeconds(shown));
      expect(left()).to.deep.equal([]);
    });
  }

  for (const [example, sixth] of [
    ['3-flask', 'HTTP/1.1 429 TOO MANY REQUESTS'],
    ['4-continents', 'HTTP/1.1 429 Too Many Requests'],
  ] as const) {
    it(`of ${example} serves until it is told to end, and the curl that it prints is refused the 6th time`, async function () {
      if (example === '4-continents') {
        needsMariadb();
        await needsNodeModules(this, files, example);
      }
      // A sliding window needs it not: nothing of 5 comes back within 12 seconds of its edge.
      if (example === '3-flask') await files.lengthenWindows(example);
      const PORT = String(await freePort());
      const child = await typed(told(example).command, { PORT });
      const answers = await eventually(
        'the example to listen',
        async () => {
          const [, curl] = /^try: (.*)$/m.exec(child.output()) ?? [];
          if (!child.running()) return [child.output()];
          if (curl === undefined) return undefined;
          // The line is printed just before the port is open.
          const once = await succeeds('sh', ['-ec', curl], files.root);
          const more = example === '3-flask' ? [] : Array(5).fill(curl);
          return [once, ...(await Promise.all(more.map((line) => succeeds('sh', ['-ec', line], files.root))))];
        },
        START_MS,
      );
      const text = answers.join('\n');
      expect(text.match(/HTTP\/1\.1 200 OK/g), text).to.have.lengthOf(5);
      expect(text.match(/HTTP\/1\.1 \d+ .*/g)).to.include(sixth);
      expect(text).to.match(/"message":"Too many requests. Try again in \d+ seconds?\."/);
      expect(left()).to.have.lengthOf.at.least(1);

      child.signal('SIGTERM');
      expect((await child.ended).code).to.equal(0);
      expect(left()).to.deep.equal([]);
    });
  }
});

describe('the rules of the classic uses', () => {
  const folder = new URL('../../examples/classics/', import.meta.url);
  const examples = readdirSync(folder).filter((name) => /^\d-/.test(name));

  it('are 4 sets, each valid', () => {
    expect(examples).to.have.lengthOf(4);
    for (const name of examples) {
      const text = readFileSync(join(folder.pathname, name, 'rules.yaml'), 'utf8');
      expect(rulesetOf({ [name]: text }).domains.size).to.equal(1);
    }
  });
});

describe('the Python of the classic uses', function () {
  this.timeout(300_000);
  let files: Copy | undefined;
  after(() => files?.remove());

  it('passes the lint of the Python client', async function () {
    files = await copy();
    const bin = await orSkip(this, () => pythonBin(join(files!.root, 'clients/python')));
    const config = ['--no-cache', '--config', join(files.root, 'clients/python/pyproject.toml'), 'examples/classics'];
    await succeeds(`${bin}/ruff`, ['check', ...config], files.root);
    await succeeds(`${bin}/ruff`, ['format', '--check', ...config], files.root);
  });
});
