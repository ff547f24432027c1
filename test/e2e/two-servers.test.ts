import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { bed, perWindow, tally } from './bed.ts';
import { RLS_CLUSTER } from './envoy-config.ts';

const GENERIC = { generic_key: { descriptor_value: 'all' } };
const REQUESTS = 900;
const LIMIT = 600;
const LOOPS = 20;

describe('two limiters on one Redis', () => {
  const b = bed({ store: 'redis', servers: 2, healthChecks: true, retries: true });
  const checked = b.route('checked', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(20) }],
  });
  const drained = b.route('drained', {
    limits: [{ actions: [GENERIC] }],
    rules: [{ key: 'generic_key', value: 'all', rate_limit: perWindow(LIMIT) }],
  });

  /** Whether Envoy's health checker takes the server for healthy. */
  async function healthy(index: number): Promise<boolean> {
    const port = b.service(index).grpcPort;
    const state = JSON.parse(await b.envoy().admin('/clusters?format=json')) as {
      cluster_statuses: { name: string; host_statuses: HostStatus[] }[];
    };
    const hosts = state.cluster_statuses.find((c) => c.name === RLS_CLUSTER)?.host_statuses ?? [];
    const host = hosts.find((h) => h.address.socket_address.port_value === port);
    if (!host) throw new Error(`Envoy does not know port ${port}`);
    return host.health_status.failed_active_health_check !== true;
  }

  it("are seen by Envoy's gRPC health check: one fails it when killed, and passes it again when started", async () => {
    await eventually('both to be healthy', async () => (await healthy(0)) && (await healthy(1)));
    expect(await checked.statuses(8)).to.deep.equal(Array(8).fill(200));
    await b.service(1).kill();
    await eventually('the killed one to be unhealthy', async () => !(await healthy(1)));
    expect(await healthy(0)).to.equal(true);
    // Both counted in the same place, so 12 of 20 are left.
    expect(tally(await checked.statuses(13))).to.deep.equal({ 200: 12, 429: 1 });
    await b.service(1).start();
    await eventually('both to be healthy again', async () => (await healthy(0)) && (await healthy(1)));
  });

  it('lose no request on SIGTERM of one: 900 requests, 600 of them allowed, 900 counted', async () => {
    const statuses: number[] = [];
    let sent = 0;
    let leaving: Promise<unknown> | undefined;
    const loop = async () => {
      while (sent < REQUESTS) {
        sent++;
        statuses.push((await drained.get()).status);
        if (statuses.length >= REQUESTS / 3) leaving ??= b.service(0).stop();
      }
    };
    await Promise.all(Array.from({ length: LOOPS }, loop));
    expect(tally(statuses)).to.deep.equal({ 200: LIMIT, 429: REQUESTS - LIMIT });
    expect(await b.counter('drained_generic_key_all')).to.equal(REQUESTS);
    expect(await leaving).to.deep.equal({ code: 0, signal: null });
    await eventually('the leaver to be unhealthy', async () => !(await healthy(0)));
    await b.service(0).start();
    await eventually('it to be healthy again', () => healthy(0));
  });
});

interface HostStatus {
  readonly address: { readonly socket_address: { readonly port_value: number } };
  readonly health_status: { readonly failed_active_health_check?: boolean };
}
