import { expect } from 'chai';
import { aclLine } from '../../src/doctor/redis/rights.ts';
import { RPC_CODE } from '../../src/grpc/handler.ts';
import { WITHOUT_EFFECT } from '../../src/settings/go-names.ts';
import { SETTINGS } from '../../src/settings/settings.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { read } from '../house/tree.ts';
import { PAGES } from './page.ts';

/** What is written like a setting and is none: words of protocols, of other programs, and of what runs the tests. */
const OTHER_WORDS: ReadonlySet<string> = new Set([
  ...Object.keys(RPC_CODE).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()),
  ...['OVER_LIMIT', 'NOT_SERVING', 'NOT_FOUND', 'DEADLINE_EXCEEDED', 'REFUSED_STREAM', 'WINDOW_UPDATE'],
  ...['GRPC_XDS_SOTW', 'DRAFT_VERSION_03', 'SO_REUSEPORT'],
]);
const SETTING_NAMES = new Set([...Object.values(SETTINGS).map(({ env }) => env), ...Object.keys(WITHOUT_EFFECT)]);
const METRIC_NAMES = Object.values(FAMILIES).map(({ name }) => name);

describe('names on the pages', () => {
  for (const page of PAGES) {
    it(`are settings that there are: ${page}`, () => {
      const said = new Set(read(page).match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!_)/g) ?? []);
      const unknown = [...said].filter((name) => !SETTING_NAMES.has(name) && !OTHER_WORDS.has(name));
      expect(unknown.filter((name) => !/^DOG_STATSD_MOGRIFIER_/.test(name))).to.deep.equal([]);
    });

    it(`are metrics that there are: ${page}`, () => {
      const said = new Set(read(page).match(/\bratelimit_[a-z_A-Z]+[a-zA-Z]\b|\bweir_[a-z_]+[a-z]\b/g) ?? []);
      const suffixes = ['', '_bucket', '_sum', '_count'];
      const known = new Set(METRIC_NAMES.flatMap((name) => suffixes.map((suffix) => name + suffix)));
      expect([...said].filter((name) => !known.has(name) && !isPrefix(name))).to.deep.equal([]);
    });
  }

  it('are the rights that weir doctor asks for, in docs/security.md', () => {
    const line = aclLine({ username: 'weir', prefix: '', db: 0, cluster: false }, { keys: true });
    expect(read('docs/security.md')).to.contain(line);
  });
});

/** `ratelimit_service_rate_limit` stands for all that begin so. */
function isPrefix(name: string): boolean {
  return METRIC_NAMES.some((each) => each.startsWith(`${name}_`));
}
