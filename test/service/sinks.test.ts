import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { service } from '../support/service.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric, page } from './page.ts';

const RULES = {
  'd.yaml': { domain: 'd', descriptors: [{ key: 'k', rate_limit: { unit: 'hour', requests_per_unit: 2 } }] },
};
const OVER = 'ratelimit.service.rate_limit.d.k.over_limit';

describe('metrics that are sent', () => {
  const opened = closers();

  async function start(env: Record<string, string>) {
    const weir = await service({
      rules: RULES,
      env: { STATSD_HOST: '127.0.0.1', STATS_FLUSH_INTERVAL: '50ms', ...env },
    });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    const calls = async (times: number) => {
      for (let i = 0; i < times; i++) await client.ask(one('d', 'k', 'v'));
    };
    return { weir, calls };
  }

  /** Collects what comes; `reads` false: takes a connection and nothing else. */
  async function receiver({ reads }: { readonly reads: boolean }) {
    const port = await freePort();
    const state = { text: '', sockets: [] as Socket[] };
    const server = createServer((socket) => {
      state.sockets.push(socket);
      socket.on('error', () => {});
      if (reads) socket.on('data', (chunk) => (state.text += chunk));
      else socket.pause();
    });
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
    opened(server, () => {
      for (const socket of state.sockets) socket.destroy();
      server.close();
    });
    const sum = (name: string) =>
      state.text
        .split('\n')
        .filter((line) => line.startsWith(`${name}:`))
        .reduce((all, line) => all + Number(line.slice(name.length + 1).split('|')[0]), 0);
    return { port, state, sum };
  }

  it('reach their receiver with the last calls before a stop', async () => {
    const there = await receiver({ reads: true });
    const { weir, calls } = await start({
      USE_STATSD: 'true',
      STATSD_PORT: String(there.port),
      STATS_FLUSH_INTERVAL: '1h',
      EXTRA_TAGS: 'team:edge,az:b',
    });
    await calls(5);
    await weir.stop();
    await eventually('3 over the limit', () => there.sum(`${OVER}.__az=b.__team=edge`) === 3);
  });

  it('hold up no call and no stop when the receiver is away or reads nothing, over TCP and UDP', async () => {
    const silent = await receiver({ reads: false });
    for (const STATSD_PORT of [String(await freePort()), String(silent.port)]) {
      const { weir, calls } = await start({ USE_STATSD: 'true', USE_DOG_STATSD: 'true', STATSD_PORT });
      await calls(50);
      expect(await metric(weir.metricsPort, 'ratelimit_service_rate_limit_over_limit{domain="d",key1="k"}')).to.equal(
        48,
      );
      expect((await weir.stop()).code).to.equal(0);
    }
  });

  it('are on no PROMETHEUS_ADDR and at no receiver with DISABLE_STATS, but at /metrics', async () => {
    const there = await receiver({ reads: true });
    const { weir, calls } = await start({
      USE_STATSD: 'true',
      STATSD_PORT: String(there.port),
      DISABLE_STATS: 'true',
    });
    await calls(3);
    expect(await page(weir.metricsPort, '/metrics').catch(() => 'refused')).to.equal('refused');
    expect(await metric(weir.httpPort, 'ratelimit_service_rate_limit_over_limit{domain="d",key1="k"}')).to.equal(1);
    await weir.stop();
    expect(there.state.sockets).to.deep.equal([]);
  });

  it('carry EXTRA_TAGS as labels on all ports, process metrics too', async () => {
    const { weir, calls } = await start({ EXTRA_TAGS: 'team:edge,my-zone:b,domain:never' });
    await calls(3);
    for (const port of [weir.httpPort, weir.metricsPort]) {
      const { body } = await page(port, '/metrics');
      const series = body.split('\n').find((line) => line.startsWith('ratelimit_service_rate_limit_over_limit{'));
      expect(series)
        .to.match(/domain="d"/)
        .and.match(/team="edge"/)
        .and.match(/my_zone="b"/);
      expect(body).to.match(/^process_resident_memory_bytes\{team="edge",my_zone="b",domain="never"\} /m);
    }
  });

  it('tell response times in milliseconds where that is asked for, and only on PROMETHEUS_ADDR', async () => {
    const { weir, calls } = await start({ PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: 'true' });
    await calls(3);
    const sum = 'ratelimit_service_response_time_seconds_sum{grpc_method="ShouldRateLimit"}';
    const [ms, seconds] = [await metric(weir.metricsPort, sum), await metric(weir.httpPort, sum)];
    expect(ms / seconds).to.be.closeTo(1_000, 1e-6);
  });
});

describe('PROMETHEUS_MAPPER_YAML', () => {
  const opened = closers();

  async function start(mapping: string | null) {
    const dir = await mkdtemp(join(tmpdir(), 'weir-mapping-'));
    opened(dir, () => rm(dir, { recursive: true, force: true }));
    const file = join(dir, 'conf.yaml');
    if (mapping !== null) await writeFile(file, mapping);
    const weir = await service({ rules: RULES, env: { PROMETHEUS_MAPPER_YAML: file } });
    opened(weir, weir.close);
    return { weir, file };
  }

  it('names the series of the Go service on PROMETHEUS_ADDR, and neither those of weir nor /metrics', async () => {
    const text = `mappings:
  - {match: '*.service.rate_limit.*.*.total_hits', name: hits, labels: {who: $2}}
  - {match: '.', match_type: regex, action: drop, name: dropped}`;
    const { weir } = await start(text);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    await client.ask(one('d', 'k', 'v'));
    const { body } = await page(weir.metricsPort, '/metrics');
    expect(body).to.match(/^hits\{who="d"\} 1$/m);
    expect(body).to.match(/^ratelimit_rules 1$/m);
    expect(body).to.not.match(/ratelimit_service_/);
    expect((await page(weir.httpPort, '/metrics')).body).to.match(/^ratelimit_service_rate_limit_total_hits\{/m);
  });

  it('is a warning when there is no such file', async () => {
    const { weir, file } = await start(null);
    expect(weir.process().output()).to.include(`there is no file ${file}`);
    expect((await page(weir.metricsPort, '/metrics')).body).to.include('ratelimit_service_config_load_success 1');
  });

  it('stops the start with a line for each mistake', async () => {
    const refused = await start('mappings: [{match: a}, {match: "..", name: b}]').then(
      () => '',
      (error: Error) => error.message,
    );
    expect(refused).to.match(/conf\.yaml: mapping 1: name is missing\n.*conf\.yaml: mapping 2: '\.\.' is not a glob/);
  });
});
