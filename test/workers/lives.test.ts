import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { WINDOW } from '../e2e/window.ts';
import { one, tally } from '../service/caller.ts';
import { metric, page, probes } from '../service/page.ts';
import { traffic } from '../service/traffic.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { ownProcess } from '../support/process.ts';
import { needsRedis } from '../support/redis.ts';
import { service } from '../support/service.ts';
import { allEnd, type Bed, bed, childrenOf, WORKERS } from './bed.ts';
import { type Connection, connection } from './connection.ts';

const CONNECTIONS = 4;
const CALLS = 200;
const RULES = {
  'd.yaml': {
    domain: 'd',
    descriptors: [{ key: 'user', rate_limit: { unit: WINDOW.unit, requests_per_unit: 4_000_000_000 } }],
  },
};
const ASK = one('d', 'user', 'ann');
const ASKED = 'ratelimit_service_rate_limit_total_hits{domain="d",key1="user"}';
const MAIN = new URL('../../dist/main.js', import.meta.url).pathname;

describe(`the life of ${WORKERS} workers`, function () {
  this.timeout(180_000);
  const clients: Connection[] = [];
  let on: Bed;

  beforeEach(async function () {
    needsRedis(this);
    on = await bed(RULES);
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = connection(`127.0.0.1:${on.weir.grpcPort}`);
      clients.push(client);
      expect(await client.ask(ASK)).to.equal('OK');
    }
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await on?.close();
  });

  it('goes on when one is killed: others serve, it is started again, no scrape fails and no counter falls', async () => {
    const [killed, other] = on.pids() as [number, number];
    const scrapes = scraper(on.weir.adminPort);
    const loads = clients.map((client) => traffic(client, ASK));
    for (const load of loads) await load.goesOn();
    await scrapes.goesOn();
    process.kill(killed, 'SIGKILL');
    await allEnd([killed]);
    await on.whole();
    for (const load of loads) await load.goesOn();
    await scrapes.goesOn();
    const answers = await Promise.all(loads.map((load) => load.end()));
    const cut = answers.filter((each) => Object.keys(each).some((answer) => answer !== 'OK'));
    expect(cut).to.have.length(CONNECTIONS / WORKERS);
    for (const each of cut) expect(Object.keys(each).join()).to.match(/UNAVAILABLE/);

    const { hits, failed } = await scrapes.end();
    expect(failed).to.deep.equal([]);
    expect(hits).to.deep.equal([...hits].sort((a, b) => a - b));
    expect(on.pids()).to.have.length(WORKERS).and.include(other).and.not.include(killed);
    expect(await metric(on.weir.httpPort, 'weir_worker_restarts_total')).to.equal(1);
    expect(on.weir.process().output()).to.match(/a worker has ended and is started again: SIGKILL/);
  });

  it('starts another one for one that is told to stop, and that one answers its calls and leaves its counts', async () => {
    const [stopped] = on.pids() as [number];
    on.redis.freeze();
    const calls = callsInFlight();
    await inFlight(CALLS);
    process.kill(stopped, 'SIGTERM');
    on.redis.thaw();
    expect(tally(await Promise.all(calls))).to.deep.equal({ OK: CALLS });
    await allEnd([stopped]);
    await on.whole();
    expect(await metric(on.weir.httpPort, ASKED)).to.equal(CONNECTIONS + CALLS);
  });

  it('closes the connections that one was handed and had not taken when it was killed, and starts it again', async () => {
    const [stopped] = on.pids() as [number];
    process.kill(stopped, 'SIGSTOP');
    const ports = [on.weir.grpcPort, on.weir.httpPort];
    const callers = ports.flatMap((port) => Array.from({ length: CONNECTIONS }, () => caller(port)));
    await eventually('all but one on each port to be answered', () => {
      return ports.every(
        (port) => callers.filter((it) => it.port === port && it.answered()).length === CONNECTIONS - 1,
      );
    });
    const silent = callers.filter((it) => !it.answered());
    process.kill(stopped, 'SIGKILL');
    for (const { closed } of silent) await closed;
    await allEnd([stopped]);
    await eventually('another one', async () => (await metric(on.weir.adminPort, 'weir_worker_restarts_total')) === 1);
    await on.whole();
    const later = ports.flatMap((port) => Array.from({ length: CONNECTIONS }, () => caller(port)));
    await eventually('none of the next to be handed to the dead', () => later.every((it) => it.answered()));
    for (const { end } of [...callers, ...later]) end();
    expect(await on.weir.stop()).to.deep.equal({ code: 0, signal: null });
  });

  for (const [what, pids] of [
    ['only the primary', () => []],
    ['all of them at once, as a terminal does', () => on.pids()],
  ] as const) {
    it(`loses no call of ${CALLS} when told to stop, ${what}, and ends with 0 and nothing left`, async () => {
      const workers = on.pids();
      on.redis.freeze();
      const calls = callsInFlight();
      await inFlight(CALLS);
      for (const pid of [on.weir.process().pid, ...pids()]) process.kill(pid, 'SIGINT');
      await eventually('it to say that it goes', async () => (await probes(on.weir.httpPort)).healthcheck === 500);
      expect(await metric(on.weir.adminPort, 'ratelimit_in_flight')).to.equal(CALLS);
      on.redis.thaw();
      expect(tally(await Promise.all(calls))).to.deep.equal({ OK: CALLS });
      expect(await on.weir.process().ended).to.deep.equal({ code: 0, signal: null });
      await allEnd(workers);
    });
  }

  it(`answers ${CALLS} calls in flight though the primary is killed, and leaves no process`, async () => {
    const workers = on.pids();
    on.redis.freeze();
    const calls = callsInFlight();
    await inFlight(CALLS);
    await on.weir.kill();
    on.redis.thaw();
    expect(tally(await Promise.all(calls))).to.deep.equal({ OK: CALLS });
    await allEnd(workers);
  });

  it(`answers ${CALLS} calls in flight though the primary is killed with connections on their way to a worker`, async () => {
    const workers = on.pids();
    const [stopped] = workers as [number];
    on.redis.freeze();
    const calls = callsInFlight();
    await inFlight(CALLS);
    process.kill(stopped, 'SIGSTOP');
    const callers = Array.from({ length: CONNECTIONS }, () => caller(on.weir.grpcPort));
    await eventually(
      'all but one to be answered',
      () => callers.filter((it) => it.answered()).length === CONNECTIONS - 1,
    );
    await on.weir.kill();
    process.kill(stopped, 'SIGCONT');
    for (const { end } of callers) end();
    on.redis.thaw();
    expect(tally(await Promise.all(calls))).to.deep.equal({ OK: CALLS });
    await allEnd(workers);
    expect(on.weir.process().output()).to.not.include('EPIPE');
  });

  it('ends at once at the second signal, with nothing left', async () => {
    const workers = on.pids();
    on.redis.freeze();
    const calls = callsInFlight();
    await inFlight(CALLS);
    on.weir.process().signal('SIGTERM');
    await eventually('it to say that it goes', async () => (await probes(on.weir.httpPort)).healthcheck === 500);
    on.weir.process().signal('SIGTERM');
    expect(await on.weir.process().ended).to.deep.equal({ code: null, signal: 'SIGTERM' });
    await allEnd(workers);
    expect(Object.keys(tally(await Promise.all(calls))).join()).to.match(/UNAVAILABLE/);
  });

  function callsInFlight(): readonly Promise<string>[] {
    return Array.from({ length: CALLS }, (_, i) => clients[i % CONNECTIONS]!.ask(ASK));
  }

  async function inFlight(count: number): Promise<void> {
    const told = async () => (await metric(on.weir.adminPort, 'ratelimit_in_flight')) === count;
    await eventually(`${count} calls in flight`, told);
  }
});

describe('weir in a node:cluster of another program', function () {
  this.timeout(60_000);

  it('serves as one service, with rules that it reads itself', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-cluster-'));
    const [rules, other] = [join(directory, 'd.yaml'), join(directory, 'other.cjs')];
    await writeFile(rules, 'domain: d\n');
    await writeFile(
      other,
      `const cluster = require('node:cluster');
       cluster.setupPrimary({ exec: process.argv[2], args: ['serve'] });
       const one = cluster.fork();
       process.once('SIGTERM', () => one.process.kill('SIGKILL'));`,
    );
    const port = await freePort();
    const env = { RULES: rules, HOST: '127.0.0.1', PORT: String(port), GRPC_PORT: '0', DEBUG_PORT: '0' };
    const child = await ownProcess({ name: 'other', command: process.execPath, args: [other, MAIN], env });
    try {
      await eventually('it to be healthy', async () => (await probes(port)).healthcheck === 200);
    } finally {
      await child.stop();
      await rm(directory, { recursive: true });
    }
  });
});

describe('workers that cannot start', function () {
  this.timeout(60_000);

  async function serving(env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
    const ports = { PORT: '0', GRPC_PORT: '0', DEBUG_PORT: '0', HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1' };
    const child = await ownProcess({
      name: 'weir',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env: { ...ports, DEBUG_HOST: '127.0.0.1', WORKERS: '2', REDIS_SOCKET_TYPE: 'tcp', LOG_LEVEL: 'warn', ...env },
    });
    const { code } = await child.ended;
    expect(childrenOf(child.pid)).to.deep.equal([]);
    return { code, output: child.output() };
  }

  it('are refused with a sentence and exit code 2 when they would count in memory', async () => {
    const { code, output } = await serving({});
    expect(code).to.equal(2);
    expect(output).to.equal(
      'weir serve: WORKERS is 2, and each worker would admit the whole limit, counting in its own memory: name a Redis\n',
    );
  });

  it('end the service with 1 and one sentence when their port is taken', async () => {
    const taken = await service({ rules: RULES });
    try {
      const { code, output } = await serving({ GRPC_PORT: String(taken.grpcPort), REDIS_URL: await nobody() });
      expect(code).to.equal(1);
      expect(output.match(/weir serve: the gRPC port cannot listen on .*EADDRINUSE/g)).to.have.length(1);
    } finally {
      await taken.close();
    }
  });

  it('are told to end while they start when the admin port is taken, and the service ends with 1', async () => {
    const taken = await service({ rules: RULES });
    try {
      const { code, output } = await serving({ DEBUG_PORT: String(taken.adminPort), REDIS_URL: await nobody() });
      expect(code).to.equal(1);
      expect(output.match(/weir serve: the admin port cannot listen on .*EADDRINUSE/g)).to.have.length(1);
    } finally {
      await taken.close();
    }
  });

  it('end the service with 2 and one sentence when a file of theirs is away', async () => {
    const away = { GRPC_SERVER_USE_TLS: 'true', GRPC_SERVER_TLS_CERT: '/nowhere/x', GRPC_SERVER_TLS_KEY: '/nowhere/x' };
    const { code, output } = await serving({ ...away, REDIS_URL: await nobody() });
    expect(code).to.equal(2);
    expect(output.match(/weir serve: .*\/nowhere\/x/g)).to.have.length(1);
  });

  it('end the service with 1 when 5 of them crash, one after the other', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-crash-'));
    const crash = join(directory, 'crash.cjs');
    await writeFile(crash, "if (require('node:cluster').isWorker) { console.log('a crash'); process.exit(7); }\n");
    try {
      const env = { NODE_OPTIONS: `--require ${crash}`, REDIS_URL: await nobody() };
      const { code, output } = await serving(env);
      expect(code).to.equal(1);
      expect(output).to.match(/weir serve: a worker ended before it served: exit code 7\n$/);
      expect(output.match(/^a crash$/gm)!.length).to.be.within(5, 6);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  async function nobody(): Promise<string> {
    return `127.0.0.1:${await freePort()}`;
  }
});

/** Says the same to both ports: to HTTP/1.1 it is a bad request. */
function caller(port: number) {
  const socket = connect(port, '127.0.0.1', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  return { port, closed, answered: () => bytes > 0, end: () => void socket.destroy() };
}

/** Looks at /metrics without end. */
function scraper(port: number) {
  const hits: number[] = [];
  const failed: unknown[] = [];
  let over = false;
  const running = (async () => {
    while (!over) {
      try {
        const { status, body } = await page(port, '/metrics');
        if (status !== 200) failed.push(status);
        const line = body.split('\n').find((it) => it.startsWith(`${ASKED} `));
        hits.push(Number(line?.slice(ASKED.length + 1)));
      } catch (error) {
        failed.push(error);
      }
    }
  })();
  return {
    async goesOn() {
      const seen = hits.length;
      await eventually('scrapes', () => hits.length > seen + 1);
    },
    async end() {
      over = true;
      await running;
      return { hits, failed };
    },
  };
}
