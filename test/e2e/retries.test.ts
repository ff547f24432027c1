import { expect } from 'chai';
import { parse } from 'yaml';
import { read } from '../house/tree.ts';
import type { EnvoyJson, EnvoyOptions } from '../support/envoy.ts';
import { deployedEnvoy, type Ports, shownBed } from './shown-bed.ts';

const DEAD_PORT = 1;
const LIMIT = { unit: 'day', requests_per_unit: 100 };
const RULES = { 'edge.yaml': { domain: 'edge', descriptors: [{ key: 'remote_address', rate_limit: LIMIT }] } };

/** deploy/envoy with the page's part in its place, and a dead address beside weir's. */
describe('the retries that docs/retries.md shows to Envoy', () => {
  const bed = shownBed(RULES, withRetries);

  it('charge each of 12 requests once, though every other address is dead', async () => {
    const left = (await bed.answers(12)).map(({ status, headers }) => [status, headers['x-ratelimit-remaining']]);
    expect(left).to.deep.equal(Array.from({ length: 12 }, (_, i) => [200, String(99 - i)]));
    expect(await bed.envoy().stat('cluster.weir.upstream_rq_retry')).to.be.at.least(1);
  });
});

function withRetries(ports: Ports): EnvoyOptions {
  const [, shown = ''] = /```yaml\n(rate_limit_service:[\s\S]*?)```/.exec(read('docs/retries.md')) ?? [];
  const config = deployedEnvoy(ports);
  walk(config, (each) => {
    if ('rate_limit_service' in each) Object.assign(each, parse(shown));
    const { name, load_assignment: load } = each as { name?: string; load_assignment?: { endpoints: [Endpoints] } };
    if (name === 'weir' && load) {
      const [{ lb_endpoints: endpoints }] = load.endpoints;
      endpoints.push(JSON.parse(JSON.stringify(endpoints[0]).replace(String(ports.weir), String(DEAD_PORT))));
    }
  });
  return config;
}

interface Endpoints {
  readonly lb_endpoints: unknown[];
}

function walk(value: unknown, visit: (each: EnvoyJson) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) visit(value as EnvoyJson);
  for (const each of Object.values(value)) walk(each, visit);
}
