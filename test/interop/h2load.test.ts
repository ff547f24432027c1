import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Missing, orSkip, run } from '../foreign/toolchain.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { ownTls } from '../support/own-tls.ts';
import { type Bed, bed, ECHO } from '../wire/bed.ts';

const CALLS = 10_000;
/** Not compressed, two bytes, "hi". */
const MESSAGE = Buffer.from([0, 0, 0, 0, 2, 0x68, 0x69]);

describe('h2load of nghttp2 on wire', function () {
  this.timeout(120_000);
  let dir: string;
  let authority: Certificates;
  let server: Bed;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-h2load-'));
    await writeFile(join(dir, 'body'), MESSAGE);
    authority = await certificates();
    const tls = ownTls(await authority.sign('IP:127.0.0.1'));
    server = await bed({ listeners: [{ host: '127.0.0.1' }, { host: '127.0.0.1', tls }] });
  });

  after(async () => {
    await server?.end();
    await authority?.remove();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  for (const [scheme, listener] of [
    ['http', 0],
    ['https', 1],
  ] as const) {
    for (const [connections, streams] of [
      [1, 100],
      [8, 32],
    ] as const) {
      const over = scheme === 'http' ? 'h2c' : 'TLS';
      const load = `${CALLS} calls of ${connections} x ${streams} streams over ${over}`;
      it(`gets an answer to each of ${load} (needs h2load)`, async function () {
        await orSkip(this, h2loadIsThere);
        const before = server.begun();
        const { port } = server.server.addresses()[listener] as AddressInfo;
        const { code, output } = await run('h2load', [
          ...['-n', String(CALLS), '-c', String(connections), '-m', String(streams), '-d', join(dir, 'body')],
          ...['-H', 'content-type: application/grpc', '-H', 'te: trailers'],
          `${scheme}://127.0.0.1:${port}${ECHO}`,
        ]);
        expect(code, output).to.equal(0);
        expect(output).to.include(`${CALLS} succeeded, 0 failed, 0 errored, 0 timeout`);
        expect(output).to.include(`status codes: ${CALLS} 2xx, 0 3xx, 0 4xx, 0 5xx`);
        expect(output).to.include(`(${CALLS * MESSAGE.length}) data`);
        expect(server.begun() - before).to.equal(CALLS);
        expect(server.failures).to.deep.equal([]);
      });
    }
  }
});

async function h2loadIsThere(): Promise<void> {
  const { code, output } = await run('h2load', ['--version']);
  if (code !== 0) throw new Missing(`h2load: ${output}`);
}
