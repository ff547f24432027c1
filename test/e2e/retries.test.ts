import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { type Envoy, type EnvoyJson, envoy, needEnvoy } from '../support/envoy.ts';
import { freePort } from '../support/port.ts';
import { type Service, service } from '../support/service.ts';
import { type HttpUpstream, httpUpstream } from '../support/upstream.ts';
import { get } from './client.ts';

const PAGE = fileURLToPath(new URL('../../docs/retries.md', import.meta.url));
const CONFIG = fileURLToPath(new URL('../../deploy/envoy/envoy.yaml', import.meta.url));
const DEAD_PORT = 1;

/** deploy/envoy with the page's part in its place, and a dead address beside weir's. */
describe('the retries that docs/retries.md shows to Envoy', () => {
  const agent = new Agent();
  let weir: Service;
  let upstream: HttpUpstream;
  let proxy: Envoy;
  let port: number;

  before(async function () {
    needEnvoy(this);
    const limit = { unit: 'day', requests_per_unit: 100 };
    weir = await service({
      rules: { 'edge.yaml': { domain: 'edge', descriptors: [{ key: 'remote_address', rate_limit: limit }] } },
    });
    upstream = await httpUpstream();
    port = await freePort();
    const [, shown = ''] = /```yaml\n(rate_limit_service:[\s\S]*?)```/.exec(await readFile(PAGE, 'utf8')) ?? [];
    const { listeners, clusters } = configWith(await readFile(CONFIG, 'utf8'), parse(shown) as EnvoyJson);
    proxy = await envoy({ listeners, clusters });
  });
  after(async () => {
    agent.destroy();
    await proxy?.stop();
    await upstream?.stop();
    await weir?.close();
  });

  it('charge each of 12 requests once, though every other address is dead', async () => {
    const left: unknown[] = [];
    for (let i = 0; i < 12; i++) {
      const { status, headers } = await get({ agent, port, path: '/', headers: {}, id: `retries-${i}` });
      left.push([status, headers['x-ratelimit-remaining']]);
    }
    expect(left).to.deep.equal(Array.from({ length: 12 }, (_, i) => [200, String(99 - i)]));
    expect(await proxy.stat('cluster.weir.upstream_rq_retry')).to.be.at.least(1);
  });

  function configWith(text: string, shown: EnvoyJson): { listeners: EnvoyJson[]; clusters: EnvoyJson[] } {
    const ports: Readonly<Record<string, number>> = { 10000: port, 3000: upstream.port, 8081: weir.grpcPort };
    const { static_resources } = parse(
      text
        .replace(/port_value: (\d+)/g, (all, given: string) => (ports[given] ? `port_value: ${ports[given]}` : all))
        .replace(/timeout: 0\.\d+s/, 'timeout: 10s'),
    ) as { static_resources: { listeners: EnvoyJson[]; clusters: EnvoyJson[] } };
    walk(static_resources, (each) => {
      if ('rate_limit_service' in each) Object.assign(each, shown);
      const { name, load_assignment: load } = each as { name?: string; load_assignment?: { endpoints: [Endpoints] } };
      if (name === 'weir' && load) {
        const [{ lb_endpoints: endpoints }] = load.endpoints;
        endpoints.push(JSON.parse(JSON.stringify(endpoints[0]).replace(String(weir.grpcPort), String(DEAD_PORT))));
      }
    });
    return static_resources;
  }
});

interface Endpoints {
  readonly lb_endpoints: unknown[];
}

function walk(value: unknown, visit: (each: EnvoyJson) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) visit(value as EnvoyJson);
  for (const each of Object.values(value)) walk(each, visit);
}
