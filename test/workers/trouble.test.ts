import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { expect } from 'chai';
import { WINDOW } from '../e2e/window.ts';
import { one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric, page } from '../service/page.ts';
import { certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis, ownRedis } from '../support/redis.ts';
import { service } from '../support/service.ts';
import { allEnd, type Bed, bed, childrenOf, WORKERS } from './bed.ts';
import { type Connection, connection } from './connection.ts';

const CONNECTIONS = 4;
const ASKED = 'ratelimit_service_rate_limit_total_hits{domain="d",key1="user"}';
const limited = (requests: number) =>
  `domain: d\ndescriptors:\n  - key: user\n    rate_limit: { unit: ${WINDOW.unit}, requests_per_unit: ${requests} }\n`;

describe(`${WORKERS} workers in trouble`, function () {
  this.timeout(120_000);
  const opened = closers();
  const clients: Connection[] = [];
  let on: Bed;

  beforeEach(function () {
    needsRedis(this);
  });

  async function started(env: Readonly<Record<string, string>> = {}): Promise<void> {
    on = await bed({ 'd.yaml': limited(1_000_000) }, env);
    opened(on, on.close);
    clients.length = 0;
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = connection(`127.0.0.1:${on.weir.grpcPort}`);
      opened(client, client.close);
      clients.push(client);
    }
  }

  it('tell what one that stands still had told, follow its rules later when it goes on, and are whole all the while', async () => {
    await started();
    for (const { ask } of clients) expect(await ask(one('d', 'user', 'ann'))).to.equal('OK');
    const [stopped] = on.pids() as [number];
    expect(await metric(on.weir.adminPort, ASKED)).to.equal(CONNECTIONS);
    process.kill(stopped, 'SIGSTOP');
    expect(await metric(on.weir.adminPort, ASKED)).to.equal(CONNECTIONS);
    await writeFile(join(on.weir.rulesDir, 'd.yaml'), limited(0));
    const loads = () => metric(on.weir.adminPort, 'ratelimit_service_config_load_success');
    await eventually('the rules to be read', async () => (await loads()) === 2);
    await writeFile(join(on.weir.rulesDir, 'd.yaml'), 'domain: d\ndescriptors: 7\n');
    await eventually('the refusal', async () => (await page(on.weir.adminPort, '/rules')).body.includes('descriptors'));
    process.kill(stopped, 'SIGCONT');
    await eventually('nobody to be let through on any connection', async () => {
      const answers = await Promise.all(clients.map(({ ask }) => ask(one('d', 'user', 'ann'))));
      return answers.every((answer) => answer === 'OVER_LIMIT');
    });
    expect(await metric(on.weir.adminPort, 'weir_worker_restarts_total')).to.equal(0);
    expect(on.pids()).to.include(stopped);
  });

  it('serve a new certificate when it changes, and so does one that is started later', async () => {
    const authority = await certificates();
    opened(authority, authority.remove);
    const dir = await mkdtemp(join(tmpdir(), 'weir-worker-tls-'));
    opened(dir, () => rm(dir, { recursive: true }));
    const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
    const put = async (commonName: string): Promise<void> => {
      const signed = await authority.sign('DNS:localhost', { commonName });
      await copyFile(signed.key, `${key}.new`);
      await copyFile(signed.cert, `${cert}.new`);
      await rename(`${key}.new`, key);
      await rename(`${cert}.new`, cert);
    };
    await put('first');
    await started({ GRPC_SERVER_USE_TLS: 'true', GRPC_SERVER_TLS_CERT: cert, GRPC_SERVER_TLS_KEY: key });
    const ca = readFileSync(authority.ca);
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const dialled = {
          host: '127.0.0.1',
          port: on.weir.grpcPort,
          servername: 'localhost',
          ca,
          ALPNProtocols: ['h2'],
        };
        const socket = tlsConnect(dialled, () => {
          resolve(socket.getPeerCertificate().subject.CN as string);
          socket.destroy();
        }).once('error', reject);
      });
    const all = async (): Promise<readonly string[]> => [await shown(), await shown(), await shown(), await shown()];
    expect(await all()).to.deep.equal(Array(CONNECTIONS).fill('first'));
    await put('second');
    const taken = () => metric(on.weir.adminPort, 'ratelimit_grpc_tls_reloads_total{result="taken"}');
    await eventually('both to take it', async () => (await taken()) === WORKERS);
    expect(await all()).to.deep.equal(Array(CONNECTIONS).fill('second'));
    const [killed] = on.pids() as [number];
    process.kill(killed, 'SIGKILL');
    await allEnd([killed]);
    await eventually('another', async () => (await metric(on.weir.adminPort, 'weir_worker_restarts_total')) === 1);
    await on.whole();
    expect(await all()).to.deep.equal(Array(CONNECTIONS).fill('second'));
  });
});

describe('a worker that ends whenever it is started, beside one that serves', function () {
  this.timeout(60_000);
  const opened = closers();

  before(function () {
    needsRedis(this);
  });

  it('keeps weir neither from serving nor from draining at the first SIGTERM', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-crash-'));
    opened(dir, () => rm(dir, { recursive: true }));
    const crash = join(dir, 'crash.cjs');
    await writeFile(crash, "if (require('node:cluster').worker?.id > 1) process.exit(7);\n");
    const redis = await ownRedis();
    opened(redis, redis.stop);
    const env = { WORKERS: '2', NODE_OPTIONS: `--require ${crash}`, REDIS_COMMAND_TIMEOUT: '25s' };
    const weir = await service({ rules: { 'd.yaml': limited(1) }, redis: redis.url, env });
    opened(weir, weir.close);
    const client = connection(`127.0.0.1:${weir.grpcPort}`);
    opened(client, client.close);
    const again = () => metric(weir.adminPort, 'weir_worker_restarts_total');
    await eventually('5 starts in vain', async () => (await again()) >= 5);
    expect(await client.ask(one('d', 'user', 'ann'))).to.equal('OK');
    const workers = childrenOf(weir.process().pid);
    expect(await weir.stop()).to.deep.equal({ code: 0, signal: null });
    await allEnd(workers);
  });
});
