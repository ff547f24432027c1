import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Missing, orSkip, run } from '../foreign/toolchain.ts';
import { type Certificates, certificates } from '../support/certificates.ts';
import { ownTls } from '../support/own-tls.ts';
import { type Bed, bed, ECHO } from '../wire/bed.ts';
import { message } from '../wire/peer.ts';

const CALLS = 10_000;
const FEW_CALLS = 100;
/** What is sent, by the name in the titles: a message each, echoed. */
const MESSAGES = {
  '2 bytes': message(Buffer.from('hi')),
  'no bytes': message(Buffer.alloc(0)),
  '1 MB': message(Buffer.alloc(1_048_576, 0x61)),
} as const;
type Size = keyof typeof MESSAGES;

describe('h2load of nghttp2 on wire', function () {
  this.timeout(120_000);
  let dir: string;
  let authority: Certificates;
  let server: Bed;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-h2load-'));
    for (const [size, bytes] of Object.entries(MESSAGES)) await writeFile(join(dir, size), bytes);
    authority = await certificates();
    const tls = ownTls(await authority.sign('IP:127.0.0.1'));
    server = await bed({ listeners: [{ host: '127.0.0.1' }, { host: '127.0.0.1', tls }] });
  });

  after(async () => {
    await server?.end();
    await authority?.remove();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  async function loaded(calls: number, size: Size, listener: 0 | 1, shape: readonly string[]): Promise<string> {
    const { port } = server.server.addresses()[listener] as AddressInfo;
    const { code, output } = await run('h2load', [
      ...['-n', String(calls), ...shape, '-d', join(dir, size)],
      ...['-H', 'content-type: application/grpc', '-H', 'te: trailers'],
      `${listener === 0 ? 'http' : 'https'}://127.0.0.1:${port}${ECHO}`,
    ]);
    expect(code, output).to.equal(0);
    return output;
  }

  for (const [over, listener] of [
    ['h2c', 0],
    ['TLS', 1],
  ] as const) {
    for (const [calls, size, connections, streams] of [
      [CALLS, '2 bytes', 1, 100],
      [CALLS, '2 bytes', 8, 32],
      [FEW_CALLS, 'no bytes', 1, 10],
      [FEW_CALLS, '1 MB', 2, 10],
    ] as const) {
      const load = `${calls} calls of ${size}, ${connections} x ${streams} streams over ${over}`;
      it(`gets an answer to each of ${load} (needs h2load)`, async function () {
        await orSkip(this, h2loadIsThere);
        const before = server.begun();
        const output = await loaded(calls, size, listener, ['-c', String(connections), '-m', String(streams)]);
        expect(output).to.include(`${calls} succeeded, 0 failed, 0 errored, 0 timeout`);
        expect(output).to.include(`status codes: ${calls} 2xx, 0 3xx, 0 4xx, 0 5xx`);
        expect(output).to.include(`(${calls * MESSAGES[size].length}) data`);
        expect(server.begun() - before).to.equal(calls);
        expect(server.failures).to.deep.equal([]);
      });
    }
  }
});

async function h2loadIsThere(): Promise<void> {
  const { code, output } = await run('h2load', ['--version']);
  if (code !== 0) throw new Missing(`h2load: ${output}`);
}
