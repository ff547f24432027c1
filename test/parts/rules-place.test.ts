import { expect } from 'chai';
import { rulesPlace } from '../../src/rules-place.ts';
import { readSettings } from '../../src/settings/read-settings.ts';

function placeOf(argv: readonly string[], env: Record<string, string> = {}) {
  const { files, from } = rulesPlace(readSettings(argv, env));
  if (files === null) return { from };
  return { path: files.path, prefix: files.prefix, dots: !files.ignoreDotFiles, from };
}

describe('the place of the rules', () => {
  it('is below RUNTIME_ROOT when nobody says anything', () => {
    expect(placeOf([])).to.deep.equal({
      path: '/srv/runtime_data/current',
      prefix: 'config.',
      dots: true,
      from: '/srv/runtime_data/current (default of RUNTIME_ROOT)',
    });
  });

  it('is the control plane with CONFIG_TYPE=GRPC_XDS_SOTW, whatever names files', () => {
    const env = { CONFIG_TYPE: 'GRPC_XDS_SOTW', CONFIG_GRPC_XDS_SERVER_URL: 'plane:1', RUNTIME_ROOT: '/data' };
    expect(placeOf(['--rules=/rules'], env)).to.deep.equal({ from: 'plane:1 (CONFIG_TYPE)' });
  });

  it('is root/subdirectory with a prefix while the root is watched', () => {
    const env = { RUNTIME_ROOT: '/data', RUNTIME_SUBDIRECTORY: 'ratelimit', RUNTIME_APPDIRECTORY: 'rules' };
    expect(placeOf([], env)).to.include({
      path: '/data/ratelimit',
      prefix: 'rules.',
      from: '/data/ratelimit (RUNTIME_*)',
    });
  });

  it('is root/subdirectory/appdirectory when the root is not watched, as Envoy Gateway has it', () => {
    const env = {
      RUNTIME_ROOT: '/data',
      RUNTIME_SUBDIRECTORY: 'ratelimit',
      RUNTIME_WATCH_ROOT: 'false',
      RUNTIME_IGNOREDOTFILES: 'true',
    };
    expect(placeOf([], env)).to.deep.equal({
      path: '/data/ratelimit/config',
      prefix: undefined,
      dots: false,
      from: '/data/ratelimit/config (RUNTIME_*)',
    });
  });

  const choices: readonly (readonly [
    what: string,
    argv: readonly string[],
    env: Record<string, string>,
    from: string,
  ])[] = [
    ['--rules beats RULES', ['--rules=/flag'], { RULES: '/env' }, '/flag (--rules)'],
    ['RULES beats RUNTIME_*', [], { RULES: '/env', RUNTIME_ROOT: '/data' }, '/env (RULES)'],
    ['--rules beats --runtime-root', ['--rules=/flag', '--runtime-root=/data'], {}, '/flag (--rules)'],
    ['--runtime-root beats RULES', ['--runtime-root=/data'], { RULES: '/env' }, '/data (RUNTIME_*)'],
    [
      '--runtime-subdirectory beats RULES',
      ['--runtime-subdirectory=x'],
      { RULES: '/env' },
      '/srv/runtime_data/current/x (RUNTIME_*)',
    ],
    ['an empty RULES is none', [], { RULES: '', RUNTIME_ROOT: '/data' }, '/data (RUNTIME_*)'],
    ['an empty --rules takes RULES away', ['--rules='], { RULES: '/env', RUNTIME_ROOT: '/data' }, '/data (RUNTIME_*)'],
  ];
  for (const [what, argv, env, from] of choices) {
    it(`${what}: ${from}`, () => expect(placeOf(argv, env).from).to.equal(from));
  }

  it('leaves out files with a dot where rules are named plainly, so that a ConfigMap is not read twice', () => {
    expect(placeOf(['--rules=/r'])).to.include({ dots: false, prefix: undefined });
  });
});
