import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import { health } from '../../src/grpc/health.ts';
import type { Place } from '../../src/grpc/listening.ts';
import { type GrpcServer, grpcServer, type Transport } from '../../src/grpc/server.ts';
import { skip } from '../support/skip.ts';
import { GRPC_BOUNDS } from './bounds.ts';

const ECHO = '/t.T/Echo';
const asIs = (bytes: Buffer) => bytes;

for (const transport of ['grpc-js', 'wire'] as const) {
  describe(`where gRPC listens, on ${transport}`, () => suite(transport));
}

function suite(transport: Transport): void {
  let directory: string;
  let path: string;
  const closers: (() => unknown)[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weir-place-'));
    path = join(directory, 'grpc.sock');
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await rm(directory, { recursive: true, force: true });
  });

  function serverAt(place: Place): GrpcServer {
    const handlers = { [ECHO]: async (message: Uint8Array) => message };
    const server = grpcServer({ ...GRPC_BOUNDS, transport, place, handlers, health: health() });
    closers.push(() => server.stop());
    return server;
  }

  function ask(target: string): Promise<number> {
    const client = new Client(target, credentials.createInsecure());
    closers.push(() => client.close());
    return new Promise((resolve) => {
      const done = (error: ServiceError | null) => resolve(error?.code ?? 0);
      client.makeUnaryRequest(ECHO, asIs, asIs, Buffer.alloc(0), { deadline: Date.now() + 20_000 }, done);
    });
  }

  async function refusal(place: Place): Promise<string> {
    return serverAt(place)
      .start()
      .then(
        () => 'started',
        (error: Error) => error.message.replaceAll(directory, 'DIR'),
      );
  }

  it('answers on a unix socket, and takes its file away when it stops', async () => {
    const server = serverAt({ path });
    await server.start();
    expect(server.target()).to.equal(`unix:${path}`);
    expect(await ask(`unix:${path}`)).to.equal(0);
    await server.stop();
    expect([existsSync(path), server.target()]).to.deep.equal([false, null]);
  });

  it('takes the place of a process that was killed', async () => {
    const left = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', left]).signal).to.equal('SIGKILL');
    expect(existsSync(path)).to.equal(true);
    await serverAt({ path }).start();
    expect(await ask(`unix:${path}`)).to.equal(0);
  });

  it('does not take the place of a process that serves, nor of a file that is no socket', async () => {
    await serverAt({ path }).start();
    expect(await refusal({ path })).to.equal(
      'the gRPC port cannot listen on DIR/grpc.sock: another process serves there',
    );
    expect(await ask(`unix:${path}`)).to.equal(0);
    const file = join(directory, 'file');
    await writeFile(file, 'precious');
    expect(await refusal({ path: file })).to.equal(
      'the gRPC port cannot listen on DIR/file: there is a file that is no socket',
    );
    expect(existsSync(file)).to.equal(true);
    expect(await refusal({ path: join(directory, 'none', 'grpc.sock') })).to.equal(
      'the gRPC port cannot listen on DIR/none/grpc.sock: there is no directory DIR/none',
    );
  });

  it('answers callers of both families on ::', async function () {
    const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    if (!addresses.some(({ family }) => family === 'IPv6')) skip(this, 'this host has no IPv6');
    const server = serverAt({ host: '::', port: 0 });
    await server.start();
    const target = server.target()!;
    expect(target).to.match(/^\[::\]:\d+$/);
    const port = target.slice('[::]:'.length);
    expect(await ask(`127.0.0.1:${port}`)).to.equal(0);
    expect(await ask(`[::1]:${port}`)).to.equal(0);
  });
}
