import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { parse } from 'yaml';
import { readSettings } from '../../src/settings/read-settings.ts';
import { ENTRIES } from '../../src/settings/settings.ts';
import { get } from '../e2e/client.ts';
import { secondsLeft } from '../e2e/window.ts';
import { run } from '../foreign/toolchain.ts';
import { ROOT, read } from '../house/tree.ts';
import { type Envoy, type EnvoyJson, envoy, needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type OwnProcess, ownProcess } from '../support/process.ts';
import { needsRedis, type OwnRedis, ownRedis } from '../support/redis.ts';
import { type Service, service } from '../support/service.ts';
import { skip } from '../support/skip.ts';

const DEPLOY = join(ROOT, 'deploy');

interface Container {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
}

const texts = { type: 'array', items: { type: 'string' } };
/** The words of the Compose specification that the file uses. */
const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'services', 'volumes'],
  properties: {
    name: { type: 'string' },
    volumes: { type: 'object', additionalProperties: { type: 'object', maxProperties: 0 } },
    services: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['image'],
        properties: {
          image: { type: 'string', pattern: '^[a-z0-9./-]+:[\\w.-]+$' },
          build: { type: 'string' },
          command: texts,
          environment: { type: 'object', additionalProperties: { type: 'string' } },
          volumes: texts,
          ports: { type: 'array', items: { type: 'string', pattern: '^127\\.0\\.0\\.1:\\d+:\\d+$' } },
          depends_on: {
            oneOf: [
              texts,
              {
                type: 'object',
                additionalProperties: {
                  type: 'object',
                  additionalProperties: false,
                  required: ['condition'],
                  properties: { condition: { enum: ['service_started', 'service_healthy'] } },
                },
              },
            ],
          },
          healthcheck: {
            type: 'object',
            additionalProperties: false,
            properties: {
              test: texts,
              interval: { type: 'string' },
              timeout: { type: 'string' },
            },
          },
          user: { type: 'string' },
          read_only: { type: 'boolean' },
          init: { type: 'boolean' },
          cap_drop: texts,
          security_opt: texts,
          stop_grace_period: { type: 'string', pattern: '^\\d+s$' },
          restart: { enum: ['unless-stopped'] },
        },
      },
    },
  },
};

describe('docker-compose.yaml', () => {
  const file = parse(read('deploy/docker-compose.yaml'));
  const services: Readonly<Record<string, Container>> = file.services;
  const { weir, redis, app, envoy: proxy, prometheus } = services as Record<string, Container>;

  it('has the words of Compose that our schema knows, and opens ports on 127.0.0.1 alone', () => {
    const check = new Ajv2020({ allErrors: true }).compile(SCHEMA);
    check(file);
    expect(check.errors ?? []).to.deep.equal([]);
  });

  it('mounts files and folders that are there, and volumes and services that it has', () => {
    for (const { volumes = [], depends_on = [] } of Object.values(services)) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('.')) expect(existsSync(join(DEPLOY, source)), source).to.equal(true);
        else expect(file.volumes).to.have.property(source);
      }
      expect(Object.keys(services)).to.include.members(
        Array.isArray(depends_on) ? depends_on : Object.keys(depends_on),
      );
    }
  });

  it('mounts the rules as a folder, and has the version of package.json', () => {
    const [rules = ''] = (weir?.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');
    expect(statSync(join(DEPLOY, rules)).isDirectory()).to.equal(true);
    const { version } = JSON.parse(read('package.json'));
    expect([weir?.image, weir?.build]).to.deep.equal([`weir-ratelimit:${version}`, '..']);
    expect(read('Dockerfile')).to.include(`FROM ${app?.image} AS build`);
  });

  it('sets names that weir reads without a warning, and gives it longer than it drains', () => {
    const names = new Set(ENTRIES.map(([, { env }]) => env));
    expect(Object.keys(weir?.environment ?? {}).filter((name) => !names.has(name))).to.deep.equal([]);
    const { settings, ignored, warnings } = readSettings([], weir?.environment ?? {});
    expect([ignored, warnings]).to.deep.equal([[], []]);
    const grace = Number.parseInt(file.services.weir.stop_grace_period, 10) * 1_000;
    expect(grace).to.be.greaterThan(settings.drainDelayMs + settings.drainTimeoutMs + 5_000);
  });

  it('scrapes weir where it is, by a configuration that promtool takes', async function () {
    if (process.env.WITHOUT_PROMETHEUS === '1') skip(this, 'WITHOUT_PROMETHEUS=1');
    const folder = mkdtempSync(join(tmpdir(), 'weir-compose-'));
    try {
      for (const volume of prometheus?.volumes ?? []) {
        const [source = '', target = ''] = volume.split(':');
        if (source.startsWith('.')) cpSync(join(DEPLOY, source), join(folder, basename(target)));
      }
      const { code, output } = await run('promtool', ['check', 'config', join(folder, 'prometheus.yml')]);
      expect(code, output).to.equal(0);
      expect(output).to.match(/SUCCESS: \d+ rules found/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const { scrape_configs: scraped } = parse(read('deploy/compose/prometheus.yaml'));
    const targets = scraped.flatMap(
      (job: { static_configs: { targets: string[] }[] }) => job.static_configs[0]?.targets,
    );
    expect(targets).to.deep.equal(['weir:8080', 'envoy:9901']);
  });

  it('gives Grafana its Prometheus, and looks for dashboards where one is mounted', () => {
    const { datasources } = parse(read('deploy/compose/grafana/datasources/prometheus.yaml'));
    expect(datasources[0].url).to.equal('http://prometheus:9090');
    const { providers } = parse(read('deploy/compose/grafana/dashboards/weir.yaml'));
    const targets = (services.grafana?.volumes ?? []).map((volume) => volume.split(':')[1]);
    expect(targets).to.deep.equal(['/etc/grafana/provisioning', `${providers[0].options.path}/weir.json`]);
  });

  describe('with its own programs and files, on one machine', () => {
    const agent = new Agent();
    const toStop: (() => Promise<unknown>)[] = [];
    let store: OwnRedis;
    let running: Service;
    let door: number;

    before(async function () {
      needsRedis(this);
      needEnvoy(this);
      store = await ownRedis({ args: (redis?.command ?? []).slice(1) });
      toStop.push(() => store.stop());
      const { RULES: _, REDIS_URL: __, ...env } = weir?.environment ?? {};
      running = await service({
        rules: { 'edge.yaml': read('deploy/compose/rules/edge.yaml') },
        redis: store.url,
        // A busy machine must not make errors.
        env: { ...env, REDIS_COMMAND_TIMEOUT: '10s' },
      });
      toStop.push(() => running.close());
      const appPort = await freePort();
      const [command = '', flag = '', script = ''] = app?.command ?? [];
      const args = [flag, script.replace('3000', `${appPort}, '127.0.0.1'`)];
      const hello: OwnProcess = await ownProcess({ name: 'app', command, args });
      toStop.push(() => hello.stop());
      await eventually('the application', async () => (await fetch(`http://127.0.0.1:${appPort}/`)).ok);
      door = await freePort();
      const ports = new Map(Object.entries({ 10000: door, 3000: appPort, 8081: running.grpcPort }));
      const [config = ''] = (proxy?.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');
      const text = readFileSync(join(DEPLOY, config), 'utf8')
        .replace(/address: [\w.]+, port_value: (\d+)/g, (all, port: string) =>
          ports.has(port) ? `address: 127.0.0.1, port_value: ${ports.get(port)}` : all,
        )
        .replace('timeout: 0.1s', 'timeout: 10s');
      const { static_resources: resources } = parse(text) as {
        static_resources: { listeners: EnvoyJson[]; clusters: EnvoyJson[] };
      };
      const started: Envoy = await envoy(resources);
      toStop.push(() => started.stop());
    });
    after(async () => {
      agent.destroy();
      for (const stop of toStop.reverse()) await stop();
    });

    it('starts a Redis that refuses to forget and keeps an append-only file', async () => {
      const config = async (name: string) => ((await store.client.config('GET', name)) as string[])[1];
      expect(await config('maxmemory-policy')).to.equal('noeviction');
      expect(await config('appendonly')).to.equal('yes');
      expect(await config('maxmemory')).to.equal(String(256 * 1024 * 1024));
    });

    it('lets 10 requests of an address reach the application in a minute, and counts them in Redis', async () => {
      await eventually('a minute that does not end meanwhile', () => secondsLeft({ unit: 'hour', seconds: 60 }) > 5);
      const statuses: number[] = [];
      for (let i = 0; i < 11; i++) {
        statuses.push((await get({ agent, port: door, path: '/', headers: {}, id: `compose-${i}` })).status);
      }
      expect(statuses).to.deep.equal([...new Array(10).fill(200), 429]);
      expect(await store.client.keys('edge_remote_address_*')).to.have.length(1);
    });
  });
});
