import { expect } from 'chai';
import { h2spec } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { certificates } from '../support/certificates.ts';
import { ownTls } from '../support/own-tls.ts';
import { ownProcess } from '../support/process.ts';
import { type Bed, bed } from './bed.ts';

/** Of h2spec, strict ones included. */
const CASES = 146;

/** Cases that do not pass, each with its reason. There are none. */
const EXCEPTIONS: Readonly<Record<string, string>> = {};

describe('h2spec', function () {
  this.timeout(600_000);
  let server: Bed | undefined;

  afterEach(async () => {
    await server?.end();
    server = undefined;
  });

  async function run(binary: string, ...args: readonly string[]): Promise<string> {
    const child = await ownProcess({
      name: 'h2spec',
      command: binary,
      args: ['-h', '127.0.0.1', '-p', String(server!.port), '-S', '-o', '5', ...args],
    });
    await child.ended;
    return child.output();
  }

  for (const how of ['plain', 'over TLS'] as const) {
    it(`passes ${CASES} of ${CASES} cases, strict ones among them, ${how} (needs go)`, async function () {
      const binary = await orSkip(this, h2spec);
      if (how === 'plain') {
        server = await bed();
        expectAll(await run(binary));
        return;
      }
      const authority = await certificates();
      const tls = ownTls(await authority.sign('IP:127.0.0.1'));
      server = await bed({ listeners: [{ host: '127.0.0.1', tls }] });
      await authority.remove();
      expectAll(await run(binary, '-t', '-k'));
    });
  }

  function expectAll(output: string): void {
    const failed = [...output.matchAll(/× (\d+: .*)/g)]
      .map(([, name]) => name!)
      .filter((name) => !(name in EXCEPTIONS));
    expect(failed).to.deep.equal([]);
    expect(output).to.match(new RegExp(`${CASES} tests, ${CASES - Object.keys(EXCEPTIONS).length} passed, 0 skipped`));
  }
});
