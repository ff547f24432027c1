import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from '../foreign/toolchain.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('npm run build', function () {
  this.timeout(180_000);
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir build-'));
    for (const part of ['package.json', 'tsconfig.json', 'src']) {
      await cp(join(ROOT, part), join(dir, part), { recursive: true });
    }
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    await mkdir(join(dir, 'dist'));
    await writeFile(join(dir, 'dist', 'main.js'), '// built before\n');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const hidden = async () => (await readdir(dir)).filter((name) => name.startsWith('.dist'));

  it('leaves what was built before as it was when it fails, so that a weir that runs from it lives on', async () => {
    await writeFile(join(dir, 'src', 'broken.ts'), 'export const broken: number = "text";\n');
    const { code } = await run('npm', ['run', '--silent', 'build'], {}, dir);
    expect(code).to.not.equal(0);
    expect(await readdir(join(dir, 'dist'))).to.deep.equal(['main.js']);
    expect(await readFile(join(dir, 'dist', 'main.js'), 'utf8')).to.equal('// built before\n');
    expect(await hidden()).to.deep.equal([]);
  });

  it('puts a new one in its place only when it is whole', async () => {
    const { code, output } = await run('npm', ['run', '--silent', 'build'], {}, dir);
    expect(code, output).to.equal(0);
    expect(await readdir(join(dir, 'dist'))).to.include.members(['main.js', 'store', 'limiter.js']);
    expect(await readdir(join(dir, 'dist', 'store', 'redis', 'lua'))).to.include('batch.lua');
    expect(await hidden()).to.deep.equal([]);
  });
});
