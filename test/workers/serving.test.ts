import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { expect } from 'chai';
import { WINDOW, windowStart } from '../e2e/window.ts';
import { one, tally } from '../service/caller.ts';
import { metric, page } from '../service/page.ts';
import { certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { type Bed, bed, WORKERS } from './bed.ts';
import { type Connection, connection } from './connection.ts';

const CONNECTIONS = 4;
const CALLS = 1_000;
const LIMIT = 500;
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: LIMIT } }],
  },
};
const ASKED = 'ratelimit_service_rate_limit_total_hits{domain="d",key1="user"}';
const METRICS = '/metrics';

for (const transport of ['grpc-js', 'wire'] as const) {
  describe(`${WORKERS} workers on ${transport}`, function () {
    this.timeout(120_000);
    const clients: Connection[] = [];
    let on: Bed;

    before(async function () {
      needsRedis(this);
      on = await bed(RULES, { GRPC_TRANSPORT: transport, LOG_LEVEL: 'info' });
      for (let i = 0; i < CONNECTIONS; i++) clients.push(await connected(`127.0.0.1:${on.weir.grpcPort}`));
    });
    after(async () => {
      for (const client of clients) client.close();
      await on?.close();
    });

    it(`admit exactly ${LIMIT} of ${CALLS} calls over ${CONNECTIONS} connections`, async () => {
      const calls = Array.from({ length: CALLS }, (_, i) => clients[i % CONNECTIONS]!.ask(one('d', 'user', 'ann')));
      expect(tally(await Promise.all(calls))).to.deep.equal({ OK: LIMIT, OVER_LIMIT: CALLS - LIMIT });
      expect(await on.redis.client.get(`d_user_ann_${windowStart()}`)).to.equal(String(CALLS));
    });

    it('share the connections out evenly', () => {
      const each = on.pids().map((pid) => connectionsOf(pid, on.weir.grpcPort));
      expect(each).to.deep.equal([CONNECTIONS / WORKERS, CONNECTIONS / WORKERS]);
    });

    it('show one sum on every port that has /metrics, each series once', async () => {
      for (const port of [on.weir.httpPort, on.weir.adminPort, on.weir.metricsPort]) {
        expect(await metric(port, ASKED), String(port)).to.equal(CALLS);
        const { body } = await page(port, METRICS);
        const series = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
        const names = series.map((line) => line.slice(0, line.lastIndexOf(' ')));
        expect(names).to.deep.equal([...new Set(names)]);
        expect(await metric(port, 'weir_store_info{kind="redis"}')).to.equal(1);
        expect(await metric(port, 'ratelimit_service_config_load_success')).to.equal(1);
        expect(await metric(port, 'ratelimit_redis_connections{redis="main"}')).to.equal(WORKERS);
      }
      expect(await metric(on.weir.httpPort, 'ratelimit_decisions_total{domain="d",code="ok"}')).to.equal(LIMIT);
      const decisions = await metric(on.weir.httpPort, 'ratelimit_decision_seconds_bucket{le="+Inf"}');
      expect(decisions).to.equal(CALLS + CONNECTIONS);
    });

    it('have one page of rules, and say in one line how many they are', async () => {
      const rules = JSON.parse((await page(on.weir.adminPort, '/rules')).body) as object;
      expect(rules).to.have.nested.property('live.generation', 1);
      const output = on.weir.process().output();
      expect(output.match(/serving: .*, with 2 workers"/g)).to.have.length(1);
      expect(output.match(/rules loaded: generation 1/g)).to.have.length(1);
    });
  });
}

describe('more than one worker', function () {
  this.timeout(120_000);
  const opened: Bed[] = [];
  beforeEach(function () {
    needsRedis(this);
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  async function started(env: Readonly<Record<string, string>>): Promise<Bed> {
    const made = await bed(RULES, env);
    opened.push(made);
    return made;
  }

  it('serve TLS, and sum what they refused', async () => {
    const authority = await certificates();
    try {
      const { cert, key } = await authority.sign('IP:127.0.0.1');
      const tls = { GRPC_SERVER_USE_TLS: 'true', GRPC_SERVER_TLS_CERT: cert, GRPC_SERVER_TLS_KEY: key };
      const { weir } = await started(tls);
      const target = `127.0.0.1:${weir.grpcPort}`;
      const clients = [1, 2].map(() => connection(target, credentials.createSsl(readFileSync(authority.ca))));
      for (const { ask } of clients) expect(await ask(one('d', 'user', 'ann'))).to.equal('OK');
      for (const client of clients) client.close();
      const expiry = await metric(weir.httpPort, 'ratelimit_grpc_tls_certificate_expiry_timestamp_seconds');
      expect(expiry).to.be.within(Date.now() / 1_000, Date.now() / 1_000 + 31 * 86_400);
    } finally {
      await authority.remove();
    }
  });

  it('serve on a unix socket, and start again where a killed primary has left its file', async () => {
    // The path of a socket has a bound of 107 bytes.
    const path = join('/tmp', `weir-workers-${process.pid}.sock`);
    const { weir, redis, whole } = await started({ GRPC_UDS: path });
    await weir.kill();
    await weir.start();
    await whole();
    const clients = [1, 2, 3, 4].map(() => connection(`unix:${path}`));
    for (const { ask } of clients) expect(await ask(one('d', 'user', 'ann'))).to.equal('OK');
    for (const client of clients) client.close();
    expect(await redis.client.get(`d_user_ann_${windowStart()}`)).to.equal('4');
  });

  for (const transport of ['grpc-js', 'wire'] as const) {
    it(`close the 5th connection on ${transport} at once when each of them may have 2, and 4 go on`, async () => {
      const { weir } = await started({ GRPC_TRANSPORT: transport, GRPC_MAX_CONNECTIONS: '2' });
      const target = `127.0.0.1:${weir.grpcPort}`;
      const clients: Connection[] = [];
      for (let i = 0; i < 4; i++) clients.push(await connected(target));
      const fifth = connect(weir.grpcPort, '127.0.0.1');
      let closed = false;
      fifth.on('error', () => {}).on('close', () => (closed = true));
      await eventually('the 5th to be closed', () => closed);
      const answers = await Promise.all(clients.map((client) => client.ask(one('d', 'user', 'ann'))));
      expect(answers).to.deep.equal(['OK', 'OK', 'OK', 'OK']);
      for (const client of clients) client.close();
    });
  }
});

/** One after the other, as workers take turns; those that come at once go to whoever is free. */
async function connected(target: string): Promise<Connection> {
  const made = connection(target);
  expect(await made.ask(one('nobody', 'user', 'ann'))).to.equal('OK');
  return made;
}

/** Established ones of this process at this port of 127.0.0.1. */
function connectionsOf(pid: number, port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const ESTABLISHED = '01';
  const inodes = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(`:${hex}`) && state === ESTABLISHED)
    .map((fields) => `socket:[${fields[9]}]`);
  return inodes.filter((inode) => filesOf(pid).includes(inode)).length;
}

function filesOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
}
