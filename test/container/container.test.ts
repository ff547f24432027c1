import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../src/cli/client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { builtImage, childOf, type Image, inImage, mountPoint } from './image.ts';

const BUILD_MS = 300_000;
const ROUND_MS = 60_000;
const MOST_BYTES = 30 * 1024 * 1024;
const RULES = 'domain: basic\ndescriptors:\n  - { key: user, rate_limit: { unit: hour, requests_per_unit: 1 } }\n';

describe('the image', () => {
  let image: Image;
  let redis: OwnRedis;
  let rules: string;

  before('build it', async function () {
    this.timeout(BUILD_MS);
    needsRedis(this);
    image = builtImage();
    mountPoint(image, '/data/ratelimit');
    rules = mkdtempSync(join(tmpdir(), 'weir-image-rules-'));
    writeFileSync(join(rules, 'basic.yaml'), RULES);
    redis = await ownRedis();
  });

  after(async () => {
    await redis?.stop();
    if (rules !== undefined) rmSync(rules, { recursive: true, force: true });
  });

  const within = (command: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    inImage(image, env, { '/data/ratelimit': rules }, command);

  function ran(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program = '', ...args] = within(command, env);
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: ROUND_MS });
    return { status, stdout, stderr };
  }

  async function started(env: Readonly<Record<string, string>>): Promise<OwnProcess> {
    const [command = '', ...args] = within(image.entrypoint, env);
    return ownProcess({ name: 'image', command, args });
  }

  /** As Envoy Gateway, Contour and Istio set it, with ports of the test's own. */
  async function environment() {
    const [PORT, GRPC_PORT, DEBUG_PORT] = [await freePort(), await freePort(), await freePort()].map(String);
    return {
      ...{ RUNTIME_ROOT: '/data', RUNTIME_SUBDIRECTORY: 'ratelimit', RUNTIME_APPDIRECTORY: '' },
      ...{ RUNTIME_IGNOREDOTFILES: 'true', RUNTIME_WATCH_ROOT: 'false', USE_STATSD: 'false', LOG_LEVEL: 'info' },
      ...{ REDIS_SOCKET_TYPE: 'tcp', REDIS_URL: redis.url },
      ...{ HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1' },
      ...{ PORT: PORT as string, GRPC_PORT: GRPC_PORT as string, DEBUG_PORT: DEBUG_PORT as string },
    };
  }

  it('is made on a current LTS Node, ends in a base without a shell, and starts /bin/ratelimit as uid 65534', () => {
    const [build = '', last = ''] = image.bases;
    expect(build).to.match(/^node:24-/);
    expect(last).to.match(/^gcr\.io\/distroless\/nodejs24-.*:nonroot$/);
    expect([image.user, image.entrypoint]).to.deep.equal(['65534:65534', ['/bin/ratelimit']]);
  });

  it('has at most 30 MB beside Node, no shell, no dev dependency, and the version of package.json', () => {
    expect(bytesIn(image.root)).to.be.at.most(MOST_BYTES);
    expect(existsSync(join(image.root, 'bin/sh'))).to.equal(false);
    expect(existsSync(join(image.root, 'weir/node_modules/mocha'))).to.equal(false);
    const { version } = JSON.parse(readFileSync(join(image.root, 'weir/package.json'), 'utf8'));
    expect(image.labels).to.include(`org.opencontainers.image.version="${version}"`);
  });

  it('is run by the test as it says: uid 65534, pid 1, and nothing can be written', () => {
    const script =
      'let wrote = "written"; try { require("node:fs").writeFileSync("/weir/x", "") } catch (error) { wrote = error.code }' +
      'console.log(process.getuid(), process.getgid(), process.pid, wrote)';
    expect(ran(['/nodejs/bin/node', '-e', script]).stdout).to.equal('65534 65534 1 EROFS\n');
  });

  for (const [count, workers] of [
    [1, 'alone'],
    [2, 'with 2 workers'],
  ] as const) {
    it(`decides with the environment of its deployers, is healthy, and drains on SIGTERM as pid 1, ${workers}`, async function () {
      this.timeout(ROUND_MS);
      const env = { ...(await environment()), WORKERS: String(count) };
      const service = await started(env);
      try {
        await eventually('the image to be healthy', () => ran(image.health, env).status === 0 || undefined);
        const question = { address: `127.0.0.1:${env.GRPC_PORT}`, domain: 'basic', descriptors: [`user=ann${count}`] };
        const codes: string[] = [];
        for (let i = 0; i < 2; i++) codes.push((await ask({ ...question, timeoutMs: 5_000 })).overallCode);
        expect(codes).to.deep.equal(['OK', 'OVER_LIMIT']);
        expect(await redis.client.keys(`basic_user_ann${count}_*`)).to.have.length(1);
        process.kill(childOf(service.pid), 'SIGTERM');
        expect(await service.ended).to.deep.equal({ code: 0, signal: null });
      } finally {
        await service.stop();
      }
    });
  }

  it('refuses to start with no Redis named, and says so', () => {
    const { status, stderr } = ran(image.entrypoint, { RUNTIME_ROOT: '/data', USE_STATSD: 'false' });
    expect(status).to.equal(2);
    expect(stderr).to.include('no Redis is named: set REDIS_URL, or BACKEND_TYPE=memory');
  });

  it('is unhealthy when nothing answers, and has the other commands of weir', async () => {
    const PORT = String(await freePort());
    const { status, stderr } = ran(image.health, { PORT });
    expect(status).to.equal(1);
    expect(stderr).to.include(`127.0.0.1:${PORT}`);
    expect(ran(['/bin/ratelimit', 'check', '/data/ratelimit']).stdout).to.include('1 rule in 1 domain');
  });
});

function bytesIn(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
