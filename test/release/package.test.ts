import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Serving, serving } from '../cli/weir.ts';
import { fetched, orSkip, run } from '../foreign/toolchain.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
const BELONGS =
  /^(dist\/.+\.(js|lua)|(proto|examples|docs)\/.+|package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE)$/;
const MOST_DEPENDENCIES = 12;

/** Tools that print JSON print warnings before it. */
const jsonIn = <T>(output: string): T => JSON.parse(output.slice(output.search(/^[[{]/m)));

describe('the package', function () {
  this.timeout(180_000);
  let dir: string;
  let tarball: string;
  let files: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-package-'));
    // Built before; `npm pack` by hand builds anew.
    const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir];
    const { code, output } = await run('npm', words, {}, ROOT);
    expect(code, output).to.equal(0);
    const [packed] = jsonIn<[{ filename: string; files: { path: string }[] }]>(output);
    tarball = join(dir, packed.filename);
    files = packed.files.map(({ path }) => path);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('is named weir-ratelimit and holds what is run or read, and nothing else', () => {
    expect(PACKAGE.name).to.equal('weir-ratelimit');
    expect(files.filter((path) => !BELONGS.test(path))).to.deep.equal([]);
    expect(files).to.include.members([
      'dist/main.js',
      'dist/store/redis/lua/batch.lua',
      'LICENSE',
      'docs/algorithms.md',
    ]);
  });

  it('has at most 12 direct dependencies, each with its reason in the CHANGELOG', () => {
    const names = Object.keys(PACKAGE.dependencies);
    expect(names.length).to.be.at.most(MOST_DEPENDENCIES);
    const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
    const reasons = changelog.slice(changelog.indexOf('\n- Dependencies: ')).split(/\n(?=- )/, 2)[1] ?? '';
    const named = (name: string): boolean =>
      reasons.includes(`\`${name}\``) || reasons.includes(`\`${name.replace(/^@.+\//, '')}\``);
    expect(names.filter((name) => !named(name))).to.deep.equal([]);
  });

  it('has a bill of materials by npm sbom that names each of them with a version and a licence', () => {
    const output = execFileSync('make', ['--no-print-directory', '-s', 'sbom'], { cwd: ROOT, encoding: 'utf8' });
    const { bomFormat, components } = jsonIn<{
      bomFormat: string;
      components: { name: string; version: string; licenses?: unknown[] }[];
    }>(output);
    expect(bomFormat).to.equal('CycloneDX');
    expect(components.map(({ name }) => name)).to.include.members(Object.keys(PACKAGE.dependencies));
    expect(components.map(({ name }) => name)).not.to.include('mocha');
    expect(components.filter(({ version, licenses = [] }) => version === '' || licenses.length === 0)).to.deep.equal(
      [],
    );
  });

  describe('installed in an empty folder', () => {
    let home: string;
    let bin: string;
    let weir: Serving | undefined;
    before(async function () {
      home = join(dir, 'home');
      bin = join(home, 'node_modules', '.bin', 'weir');
      await cp(join(ROOT, 'examples', 'rules', 'basic.yaml'), join(home, 'rules', 'basic.yaml'));
      await orSkip(this, () =>
        fetched('npm', ['install', '--prefix', home, '--no-audit', '--ignore-scripts', tarball]),
      );
    });
    afterEach(async () => {
      await weir?.process.stop();
      weir = undefined;
    });

    it('says its version, which package.json alone holds', async () => {
      const { output } = await run('npx', ['--no-install', 'weir', '--version'], {}, home);
      expect(output.trim().split('\n').at(-1)).to.equal(PACKAGE.version);
    });

    it('serves rules, refuses the 11th call of 10 a minute, and shows its version to Prometheus', async () => {
      weir = await serving(['--rules', 'rules'], {}, { command: bin, cwd: home });
      const asked = ['client', '--address', weir.grpc, '--domain', 'basic', '--descriptor', 'remote_address=10.0.0.1'];
      // A minute may end between the calls; then the 11 after it meet a whole one.
      const codes: (number | null)[] = [];
      for (let call = 0; call < 22 && codes.at(-1) !== 1; call++) codes.push((await run(bin, asked, {}, home)).code);
      expect(codes.at(-1), 'the last code').to.equal(1);
      expect(codes.length).to.be.at.least(11);
      const metrics = await (await fetch(`http://${weir.admin}/metrics`)).text();
      expect(metrics).to.include(`weir_build_info{version="${PACKAGE.version}"} 1`);
    });
  });
});
