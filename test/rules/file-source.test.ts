import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type { Problem, RulesDocument } from '../../src/core/ports.ts';
import { type FileSourceOptions, fileSource, runtimeFiles } from '../../src/rules/file-source.ts';
import type { RulesSource } from '../../src/rules/loader.ts';
import { eventually } from '../support/eventually.ts';

/** Long enough that only events can bring a change in time, where a test is about events. */
const NEVER_MS = 3_600_000;

describe('file source', () => {
  let root: string;
  let source: RulesSource | null;
  let seen: (readonly RulesDocument[] | readonly Problem[])[];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'weir-rules-'));
    source = null;
    seen = [];
  });

  afterEach(async () => {
    await source?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const at = (path: string): string => join(root, path);

  function write(path: string, text: string): void {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  }

  async function watched(options: FileSourceOptions): Promise<void> {
    source = fileSource({ gatherMs: 5, ...options });
    source.onDocuments = async (documents) => {
      seen.push(documents);
      return null;
    };
    source.onUnreadable = (problems) => seen.push(problems);
    await source.start();
  }

  const newest = (): string[] =>
    (seen.at(-1) ?? []).map((one) => ('text' in one ? `${one.name}=${one.text}` : `${one.file}: ${one.message}`));

  async function becomes(...wanted: string[]): Promise<void> {
    await eventually(`${wanted.join()} instead of ${newest().join()}`, () => newest().join('\n') === wanted.join('\n'));
  }

  /** As a kubelet does it: the files are links into `..data`, a link to a directory that is replaced at a blow. */
  function configMap(version: string, text: string): void {
    write(`..${version}/limits.yaml`, text);
    symlinkSync(`..${version}`, at('..data_tmp'));
    renameSync(at('..data_tmp'), at('..data'));
  }

  it('reads every file below a directory by the order of names, whatever its extension', async () => {
    write('noext', '1');
    write('sub/deep.yaml', '2');
    write('a.txt', '3');
    await watched({ path: root });
    expect(newest()).to.deep.equal(['a.txt=3', 'noext=1', 'sub/deep.yaml=2']);
  });

  it('reads dot files unless they are ignored', async () => {
    write('.hidden', '1');
    write('.git/config', '2');
    await watched({ path: root });
    expect(newest()).to.deep.equal(['.git/config=2', '.hidden=1']);
    await source!.stop();
    await watched({ path: root, ignoreDotFiles: true });
    expect(newest()).to.deep.equal([]);
  });

  it('takes an empty directory for an empty set', async () => {
    await watched({ path: root });
    expect(seen).to.deep.equal([[]]);
  });

  it('reads one file by its own name', async () => {
    write('limits.yaml', '1');
    write('other.yaml', '2');
    await watched({ path: at('limits.yaml') });
    expect(newest()).to.deep.equal(['limits.yaml=1']);
  });

  describe('by events alone', () => {
    const eventsOnly = { rescanMs: NEVER_MS };

    it('sees a new file, a write in place, an atomic rename and a deleted file', async () => {
      await watched({ path: root, ...eventsOnly });
      write('a', '1');
      await becomes('a=1');
      write('a', '2');
      await becomes('a=2');
      write('.new', '3');
      renameSync(at('.new'), at('a'));
      await becomes('a=3');
      unlinkSync(at('a'));
      await becomes();
    });

    it('sees a file in a directory that was made later', async () => {
      await watched({ path: root, ...eventsOnly });
      mkdirSync(at('sub'));
      write('sub/a', '1');
      await becomes('sub/a=1');
      write('sub/a', '2');
      await becomes('sub/a=2');
    });

    it('sees the swap of a ConfigMap, of a directory and of a single file in it', async () => {
      configMap('one', '1');
      symlinkSync('..data/limits.yaml', at('limits.yaml'));
      await watched({ path: root, ...eventsOnly });
      expect(newest()).to.deep.equal(['limits.yaml=1']);
      configMap('two', '2');
      await becomes('limits.yaml=2');
      await source!.stop();
      await watched({ path: at('limits.yaml'), ...eventsOnly });
      configMap('three', '3');
      await becomes('limits.yaml=3');
    });

    it('has the last of 50 swaps', async () => {
      configMap('0', '0');
      symlinkSync('..data/limits.yaml', at('limits.yaml'));
      await watched({ path: root, ...eventsOnly });
      for (let i = 1; i <= 50; i++) configMap(String(i), String(i));
      await becomes('limits.yaml=50');
    });

    it('sees a directory appear, go and come back', async () => {
      await watched({ path: at('rules'), ...eventsOnly });
      expect(newest()).to.deep.equal([`${at('rules')}: no such file or directory`]);
      write('rules/a', '1');
      await becomes('a=1');
      renameSync(at('rules'), at('gone'));
      await becomes(`${at('rules')}: no such file or directory`);
      renameSync(at('gone'), at('rules'));
      await becomes('a=1');
    });
  });

  it('sees by the rescan what no event told', async () => {
    write('real/a', '1');
    mkdirSync(at('rules'));
    symlinkSync('../real/a', at('rules/a'));
    await watched({ path: at('rules'), rescanMs: 20 });
    // The file behind the link lies in a directory that is not watched.
    write('real/a', '2');
    await becomes('a=2');
  });

  describe('with the RUNTIME_* names', () => {
    const runtime = (watchRoot: boolean) =>
      runtimeFiles({
        root: at('current'),
        subdirectory: 'ratelimit',
        appDirectory: 'config',
        watchRoot,
        ignoreDotFiles: true,
      });

    beforeEach(() => {
      write('releases/1/ratelimit/config/a.yaml', '1');
      write('releases/1/ratelimit/config.b.yaml', '2');
      write('releases/1/ratelimit/other/c.yaml', '3');
      symlinkSync('releases/1', at('current'));
    });

    it('reads what is named config.* below root/subdirectory when the root is watched', async () => {
      await watched({ ...runtime(true), rescanMs: NEVER_MS });
      expect(newest()).to.deep.equal(['config.b.yaml=2', 'config/a.yaml=1']);
    });

    it('reads all below root/subdirectory/config when it is not', async () => {
      await watched({ ...runtime(false), rescanMs: NEVER_MS });
      expect(newest()).to.deep.equal(['a.yaml=1']);
    });

    for (const watchRoot of [true, false]) {
      it(`follows a swapped root and a write behind it, watchRoot ${watchRoot}`, async () => {
        await watched({ ...runtime(watchRoot), rescanMs: NEVER_MS });
        const name = watchRoot ? 'config/a.yaml' : 'a.yaml';
        write('releases/2/ratelimit/config/a.yaml', '4');
        symlinkSync('releases/2', at('next'));
        renameSync(at('next'), at('current'));
        await becomes(`${name}=4`);
        write('releases/2/ratelimit/config/a.yaml', '5');
        await becomes(`${name}=5`);
      });
    }
  });

  describe('with a hostile directory', () => {
    it('passes over a FIFO, a dangling link and a link to a directory, and does not block', async () => {
      execFileSync('mkfifo', [at('fifo')]);
      symlinkSync('nowhere', at('dangling'));
      symlinkSync('.', at('loop'));
      write('a', '1');
      await watched({ path: root });
      expect(newest()).to.deep.equal(['a=1']);
    });

    it('refuses links that lead to each other', async () => {
      symlinkSync('two', at('one'));
      symlinkSync('one', at('two'));
      await watched({ path: root });
      expect(newest()).to.deep.equal(['one: cannot be read: ELOOP', 'two: cannot be read: ELOOP']);
    });

    it('refuses a file of 11 bytes where 10 are the bound, and 2 files where 1 is', async () => {
      write('a', '12345678901');
      await watched({ path: root, maxFileBytes: 10 });
      expect(newest()).to.deep.equal(['a: larger than 10 bytes']);
      await source!.stop();
      write('b', '1');
      await watched({ path: root, maxFiles: 1 });
      expect(newest()).to.deep.equal([`${root}: more than 1 files`]);
    });

    it('refuses files of 12 bytes together where 10 are the bound', async () => {
      write('a', '123456');
      write('b', '123456');
      await watched({ path: root, maxBytes: 10 });
      expect(newest()).to.deep.equal(['b: all rules together are larger than 10 bytes']);
    });

    it('marks a byte that is no UTF-8, and reads UTF-16 by its mark', async () => {
      writeFileSync(at('a'), Buffer.from([0x61, 0xff, 0x62]));
      writeFileSync(at('b'), Buffer.from('\ufeffü', 'utf16le'));
      writeFileSync(at('c'), Buffer.from('\ufeffü', 'utf16le').swap16());
      await watched({ path: root });
      expect(newest()).to.deep.equal(['a=a\udcffb', 'b=\ufeffü', 'c=\ufeffü']);
    });

    it('refuses directories nested 40 deep', async () => {
      write(`${'d/'.repeat(40)}a`, '1');
      await watched({ path: root });
      expect(newest()[0]).to.include('directories nested deeper than 32');
    });
  });

  it('tells nothing after it was stopped, and stops twice', async () => {
    await watched({ path: root, rescanMs: 1 });
    await source!.stop();
    await source!.stop();
    const before = seen.length;
    write('a', '1');
    await new Promise((done) => setImmediate(done));
    expect(seen).to.have.length(before);
  });

  it('tells nothing while no file descriptor is left, and the change as soon as there is one', function () {
    this.timeout(30_000);
    write('a.yaml', '1');
    const module = new URL('../../src/rules/file-source.ts', import.meta.url).href;
    const script = `import { closeSync, openSync, writeSync } from 'node:fs';
      import { fileSource } from ${JSON.stringify(module)};
      const seen = [];
      const source = fileSource({ path: ${JSON.stringify(root)} });
      source.onDocuments = (all) => seen.push(all.map(({ text }) => text).join());
      source.onUnreadable = (all) => seen.push(all.map(({ message }) => message).join());
      // Each start looks; a look that runs already is only joined, hence two.
      const look = async () => { await source.start(); await source.start(); };
      await look();
      const file = openSync(${JSON.stringify(at('a.yaml'))}, 'r+');
      const taken = [];
      let full;
      const fill = () => {
        for (full = ''; full === ''; ) try { taken.push(openSync('/dev/null')); } catch ({ code }) { full = code; }
      };
      // What a look that was under way gives back is taken too.
      fill();
      await look();
      fill();
      writeSync(file, '2', 0);
      await look();
      const starved = seen.length;
      for (const fd of taken) closeSync(fd);
      await look();
      writeSync(1, JSON.stringify({ full, whileStarved: [...new Set(seen.slice(0, starved))], last: seen.at(-1) }));
      process.exit(0);`;
    const node = [process.execPath, '--import=tsx', '--input-type=module', '-e', script];
    const said = execFileSync('/bin/sh', ['-c', 'ulimit -n 256; exec "$0" "$@"', ...node], { encoding: 'utf8' });
    expect(JSON.parse(said)).to.deep.equal({ full: 'EMFILE', whileStarved: ['1'], last: '2' });
  });
});
