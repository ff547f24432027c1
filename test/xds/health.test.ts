import { expect } from 'chai';
import { orSkip } from '../foreign/toolchain.ts';
import { caller, one } from '../service/caller.ts';
import { closers } from '../service/closers.ts';
import { metric, page, probes } from '../service/page.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type Service, type ServiceOptions, service } from '../support/service.ts';
import { type ControlPlane, controlPlane, controlPlaneProgram, NODE, type PlaneDomain } from './control-plane.ts';

const domain = (name: string, key: string): PlaneDomain => ({
  name,
  domain: 'd',
  descriptors: [{ key, rate_limit: { unit: 6, requests_per_unit: 0 } }],
});

describe('health with rules from a control plane (needs go)', function () {
  this.timeout(300_000);
  const opened = closers();
  let plane: ControlPlane;

  before(async function () {
    plane = await controlPlane(await orSkip(this, controlPlaneProgram));
    opened(plane, plane.close);
  });

  async function started(
    address: string,
    env: Readonly<Record<string, string>>,
    options: Partial<ServiceOptions> = {},
  ): Promise<Service> {
    const xds = {
      CONFIG_TYPE: 'GRPC_XDS_SOTW',
      CONFIG_GRPC_XDS_SERVER_URL: address,
      CONFIG_GRPC_XDS_NODE_ID: NODE,
      CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '100ms',
      XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '100ms',
      XDS_CLIENT_BACKOFF_MAX_INTERVAL: '500ms',
    };
    const weir = await service({ rules: {}, env: { ...xds, ...env }, ...options });
    return opened(weir, weir.close);
  }

  it('waits for the first set, with the ports open', async () => {
    const late = await controlPlane(await controlPlaneProgram());
    opened(late, late.close);
    const weir = await started(late.address, {}, { until: 'listening' });
    expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 500, readyz: 503 });
    await late.set('one', domain('r', 'k'));
    await eventually('SERVING', async () => (await probes(weir.httpPort)).readyz === 200);
    expect(await probes(weir.httpPort)).to.deep.equal({ livez: 200, healthcheck: 200, readyz: 200 });
  });

  it('does not wait with FORCE_START_WITHOUT_INITIAL_CONFIG, while calls fail and /readyz says why', async () => {
    const weir = await started(`127.0.0.1:${await freePort()}`, {
      FORCE_START_WITHOUT_INITIAL_CONFIG: 'true',
      LOG_LEVEL: 'info',
    });
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    expect(await client.ask(one('d', 'k', 'v'))).to.equal('FAILED_PRECONDITION: no rate limit configuration loaded');
    expect(await client.health('ratelimit')).to.equal('NOT_SERVING');
    await eventually('the start line', () =>
      /rules: none yet, from 127\.0\.0\.1:\d+ \(CONFIG_TYPE\)/.test(weir.process().output()),
    );
    expect(JSON.parse((await page(weir.httpPort, '/readyz')).body)).to.include({ ready: false, rules: 'waiting' });
  });

  it('follows the domains with HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: 200, 500 on an empty set, 200 again', async () => {
    await plane.set('1', domain('r', 'k'));
    const weir = await started(plane.address, { HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: 'true' });
    const becomes = (status: number) =>
      eventually(`${status}`, async () => (await page(weir.httpPort, '/healthcheck')).status === status);
    await plane.set('2');
    await becomes(500);
    await plane.set('3', domain('r', 'k'));
    await becomes(200);
  });

  it('of MERGE_DOMAIN_CONFIG: two resources of one domain add up with it, and are refused without', async () => {
    await plane.set('4', domain('r', 'k'), domain('s', 'l'));
    const merged = await started(plane.address, { MERGE_DOMAIN_CONFIG: 'true' });
    const { body } = await page(merged.adminPort, '/rlconfig');
    expect(body.split('\n').map((line) => line.split(':')[0])).to.deep.equal(['d.k', 'd.l', '']);
    const apart = await started(plane.address, {}, { until: 'open' });
    expect((await page(apart.adminPort, '/rules')).body).to.include("duplicate domain 'd' in config file");
    expect(await metric(apart.httpPort, 'ratelimit_xds_accepted_timestamp_seconds')).to.equal(0);
  });
});
