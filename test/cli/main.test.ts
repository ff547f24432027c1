import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SETTINGS } from '../../src/settings/settings.ts';
import { weir } from './weir.ts';

describe('weir', function () {
  this.timeout(30_000);

  it('--help exits 0 and tells each command in a line', () => {
    const { code, stdout, stderr } = weir(['--help']);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    for (const name of ['serve', 'check', 'doctor', 'client'])
      expect(stdout).to.match(new RegExp(`^  weir ${name} .* {2,}\\w`, 'm'));
    expect(weir(['help'])).to.deep.include({ code: 0, stdout });
  });

  it('serve --help lists every setting, and client --help its own flags alone', () => {
    const { code, stdout } = weir(['serve', '--help']);
    expect(code).to.equal(0);
    for (const { env } of Object.values(SETTINGS)) {
      expect(stdout).to.include(`--${env.toLowerCase().replaceAll('_', '-')}`);
    }
    expect(weir(['client', '--help']).stdout)
      .to.include('--timeout-ms')
      .and.not.include('--redis-url');
    expect(weir(['check', '--help']).stdout)
      .to.include('--merge-domain-config')
      .and.not.include('--redis-url');
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
