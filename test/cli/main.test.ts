import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SETTINGS } from '../../src/settings.ts';
import { weir } from './weir.ts';

describe('weir', function () {
  this.timeout(30_000);

  it('--help exits 0 and lists the commands and every setting', () => {
    const { code, stdout, stderr } = weir(['--help']);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    for (const command of ['serve', 'check', 'client', '--version']) expect(stdout).to.include(`weir ${command}`);
    const flags = Object.values(SETTINGS).map(({ env }) => `--${env.toLowerCase().replaceAll('_', '-')}`);
    expect(flags.filter((flag) => !stdout.includes(`  ${flag}`))).to.deep.equal([]);
  });

  it('serve --help and help print the same', () => {
    const { stdout } = weir(['--help']);
    expect(weir(['serve', '--help'])).to.deep.include({ code: 0, stdout });
    expect(weir(['help'])).to.deep.include({ code: 0, stdout });
  });

  it('--version exits 0 and prints the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(weir(['--version'])).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  const wrong: readonly (readonly [args: readonly string[], sentence: string])[] = [
    [[], 'weir: a command is missing; weir --help lists them\n'],
    [['sevre'], 'weir: there is no command "sevre"; weir --help lists them\n'],
    [['constructor'], 'weir: there is no command "constructor"; weir --help lists them\n'],
    [['--nope'], 'weir: there is no command "--nope"; weir --help lists them\n'],
  ];
  for (const [args, sentence] of wrong) {
    it(`${args.join(' ') || 'without a command'} exits 2 and says so`, () => {
      expect(weir(args)).to.deep.equal({ code: 2, stdout: '', stderr: sentence });
    });
  }
});
