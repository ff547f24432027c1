import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSettings } from '../../src/settings/read-settings.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { valueHash } from '../../src/settings/value-hash.ts';

const settingsOf = (env: Record<string, string>): Settings => readSettings([], env).settings;
const hashOf = (env: Record<string, string>) => valueHash(settingsOf(env)) ?? expect.fail('there is no secret');

describe('value hash', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-hash-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function file(text: string): string {
    const path = join(folder, 'secret');
    writeFileSync(path, text);
    return path;
  }

  it('is none without a secret', () => {
    expect(valueHash(settingsOf({}))).to.equal(null);
  });

  it('is 22 letters, the same in every process that has the secret', () => {
    // printf value | iconv -t UTF-16LE | openssl dgst -sha256 -hmac secret -binary | head -c 16 | basenc --base64url
    expect(hashOf({ HASH_VALUE_SECRET: 'secret' })('value')).to.equal('934jxw10fjr55hls0RSFqw');
  });

  it('is another one for another value and for another secret, lone surrogates told apart', () => {
    const [one, other] = ['one', 'other'].map((secret) => hashOf({ HASH_VALUE_SECRET: secret }));
    const texts = ['', 'a', 'b', '\udc80', '\udc81', '\ufffd'];
    const hashes = [one!, other!].flatMap((hash) => texts.map(hash));
    expect(new Set(hashes).size).to.equal(2 * texts.length);
    for (const hash of hashes) expect(hash).to.match(/^[\w-]{22}$/);
  });

  it('takes the secret from a file, without the white space around it, before the one in the environment', () => {
    const fromFile = hashOf({ HASH_VALUE_SECRET_FILE: file('  secret\n'), HASH_VALUE_SECRET: 'other' });
    expect(fromFile('value')).to.equal(hashOf({ HASH_VALUE_SECRET: 'secret' })('value'));
  });

  it('says why a file makes no secret, and never its text', () => {
    expect(() => valueHash(settingsOf({ HASH_VALUE_SECRET_FILE: file(' \n') }))).to.throw(
      'HASH_VALUE_SECRET_FILE is empty',
    );
    expect(() => valueHash(settingsOf({ HASH_VALUE_SECRET_FILE: join(folder, 'none') }))).to.throw(
      "HASH_VALUE_SECRET_FILE can't be read: ENOENT",
    );
  });
});
