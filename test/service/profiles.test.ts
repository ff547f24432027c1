import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import { skip } from '../support/skip.ts';
import { closers } from './closers.ts';

const RULES = { 'a.yaml': { domain: 'shop', descriptors: [] } };

describe('the admin port of a service with DEBUG_PROFILES and ADMIN_TOKEN_FILE', () => {
  const opened = closers();
  let weir: Service;
  let token: string;
  let bearing: Readonly<Record<string, string>> = { authorization: 'Bearer the-first' };

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-token-'));
    opened(dir, () => rm(dir, { recursive: true }));
    token = join(dir, 'token');
    await writeFile(token, 'the-first\n');
    weir = await service({
      rules: RULES,
      env: { DEBUG_HOST: '0.0.0.0', DEBUG_PROFILES: 'true', ADMIN_TOKEN_FILE: token },
    });
    opened(weir, weir.close);
  });

  const answer = (path: string, headers: Readonly<Record<string, string>> = {}, host = '127.0.0.1') =>
    new Promise<IncomingMessage>((resolve, reject) => {
      httpGet({ host, port: weir.adminPort, path, headers, agent: false }, resolve).once('error', reject);
    });
  const status = async (path: string, headers = {}, host?: string) => {
    const response = await answer(path, headers, host);
    response.destroy();
    return response.statusCode;
  };
  const json = async (path: string) => {
    const parts: Buffer[] = [];
    for await (const part of await answer(path, bearing)) parts.push(part as Buffer);
    return JSON.parse(Buffer.concat(parts).toString());
  };

  it('shows the list to everybody, and the rest to who bears the token, also when it was replaced', async () => {
    expect([await status('/'), await status('/rlconfig'), await status('/rlconfig', bearing)]).to.deep.equal([
      200, 401, 200,
    ]);
    await writeFile(`${token}.new`, 'the-second');
    await rename(`${token}.new`, token);
    expect(await status('/rlconfig', bearing)).to.equal(401);
    bearing = { authorization: 'Bearer the-second' };
    expect(await status('/rlconfig', bearing)).to.equal(200);
  });

  it('makes a CPU profile of 1 second', async () => {
    expect(await status('/debug/pprof/profile?seconds=1')).to.equal(401);
    const { nodes, samples } = await json('/debug/pprof/profile?seconds=1');
    expect(samples).to.be.an('array').that.is.not.empty;
    expect(nodes[0].callFrame.functionName).to.equal('(root)');
  });

  it('makes a whole heap snapshot, and after one that was left half read another', async () => {
    await status('/debug/pprof/heap', bearing);
    const { snapshot, nodes } = await eventually('the next to be made', () => json('/debug/pprof/heap'));
    expect(snapshot.node_count).to.be.greaterThan(1_000);
    expect(nodes).to.have.length(snapshot.node_count * snapshot.meta.node_fields.length);
  });

  it('makes none for a caller that comes by another address of this machine, with the token too', async function () {
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const outer = own.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    if (outer === undefined) skip(this, 'this machine has no address but loopback');
    expect(await status('/rlconfig', bearing, outer)).to.equal(200);
    for (const path of ['/debug/pprof/profile?seconds=1', '/debug/pprof/heap']) {
      // Linux sends from the address it sends to; the host must not be what refuses.
      expect(await status(path, { ...bearing, host: 'localhost' }, outer), path).to.equal(403);
    }
  });

  it('keeps nobody from stopping: a profile of 60 seconds ends with the service', async () => {
    const asked = answer('/debug/pprof/profile?seconds=60', bearing).then(
      (response) => response.destroy() && response.statusCode,
      (error: NodeJS.ErrnoException) => error.code,
    );
    // What is asked for wrongly is refused at once, and tells whether one is being made.
    await eventually(
      'the profile to begin',
      async () => (await status('/debug/pprof/profile?seconds=0', bearing)) === 409,
    );
    expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    expect(await asked).to.equal('ECONNRESET');
  });
});
