import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { EDGE_RULES, shownBed } from '../e2e/shown-bed.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { ROOT, read } from '../house/tree.ts';
import { cluster, type EnvoyJson } from '../support/envoy.ts';
import { only, type Resource, resources } from './chart.ts';
import { validator, wrongWith } from './kinds.ts';

const GATEWAYS = ['istio', 'contour', 'envoy-gateway', 'kgateway'];
const ROUND_MS = 120_000;
const RULES = read('deploy/envoy/edge.yaml');

const file = (gateway: string, name: string) => readFileSync(join(ROOT, 'deploy', gateway, name), 'utf8');
/** What is in the file, and what is in the texts of its ConfigMaps. */
function objectsOf(gateway: string): readonly Resource[] {
  const outer = resources(file(gateway, 'weir.yaml'));
  const inner = outer.filter(({ kind }) => kind === 'ConfigMap').flatMap(({ data }) => Object.values<string>(data));
  return [...outer, ...inner.flatMap(resources)];
}

describe('the files for gateways', () => {
  for (const gateway of GATEWAYS) {
    it(`has for ${gateway} nothing that our schemas of its kinds don't know`, async function () {
      this.timeout(ROUND_MS);
      const python = await orSkip(this, validator);
      expect(await wrongWith(python, objectsOf(gateway))).to.deep.equal([]);
    });

    it(`names for ${gateway} only files that are there, and says that nobody has applied them`, () => {
      const page = file(gateway, 'README.md');
      const applied = [...page.matchAll(/kubectl apply -f (\S+)/g)].map(([, path]) => path as string);
      expect(applied.length).to.be.at.least(1);
      for (const path of applied) expect(existsSync(join(ROOT, path)), path).to.equal(true);
      expect(page).to.match(/custom resources are not installed by the tests/);
    });
  }

  it('ask for the domain of the rules at the Service, namespace and port of deploy/kubernetes', () => {
    const { metadata, spec } = only(resources(read('deploy/kubernetes/20-weir.yaml')), 'Service');
    const [{ port }] = spec.ports;
    const at = { name: metadata.name, namespace: metadata.namespace, port };
    const { domain } = parse(RULES) as { domain: string };

    const { rateLimit } = only(objectsOf('kgateway'), 'GatewayExtension').spec;
    expect([rateLimit.grpcService.backendRef, rateLimit.domain]).to.deep.equal([at, domain]);
    const extension = only(objectsOf('contour'), 'ExtensionService');
    expect({ ...extension.spec.services[0], namespace: extension.metadata.namespace }).to.deep.equal(at);
    expect(only(objectsOf('contour'), 'ContourConfiguration').spec.rateLimitService.domain).to.equal(domain);
    const { value } = only(objectsOf('istio'), 'EnvoyFilter').spec.configPatches[0].patch;
    const host = `${at.name}.${at.namespace}.svc.cluster.local`;
    expect(value.typed_config.rate_limit_service.grpc_service.envoy_grpc).to.deep.equal({
      cluster_name: `outbound|${port}||${host}`,
      authority: host,
    });
    expect(value.typed_config.domain).to.equal(domain);
    // kgateway asks for this name, and Istio takes it for HTTP/2.
    expect(spec.ports[0].appProtocol).to.equal('kubernetes.io/h2c');
  });

  it("say the same of Contour's ConfigMap as of its ContourConfiguration", () => {
    const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(file('contour', 'README.md')) ?? [];
    const { rateLimitService } = parse(block);
    const { extensionService, ...rest } = only(objectsOf('contour'), 'ContourConfiguration').spec.rateLimitService;
    expect(rateLimitService).to.deep.equal({
      ...rest,
      extensionService: `${extensionService.namespace}/${extensionService.name}`,
    });
  });

  describe("Istio's patches in a real Envoy", () => {
    const bed = shownBed(EDGE_RULES, ({ door, app, weir }) => {
      const [filter, host] = only(objectsOf('istio'), 'EnvoyFilter').spec.configPatches.map(
        ({ patch }: Resource) => patch.value,
      );
      const { cluster_name: name } = filter.typed_config.rate_limit_service.grpc_service.envoy_grpc;
      // A busy machine must not make errors.
      filter.typed_config.timeout = '10s';
      return {
        listeners: [listener(door, filter, host)],
        clusters: [cluster('app', [app]), cluster(name, [weir], { http2: true })],
      };
    });

    it('let 10 requests of an address pass in a minute, and not the 11th', async () => {
      const statuses = (await bed.elevenInAMinute()).map(({ status }) => status);
      expect(statuses).to.deep.equal([...new Array(10).fill(200), 429]);
    });
  });
});

/** As Istio makes one: the filter before the router, and the actions merged into the virtual host. */
function listener(port: number, filter: EnvoyJson, host: EnvoyJson): EnvoyJson {
  const type = 'type.googleapis.com/envoy.extensions.filters';
  const router = { name: 'envoy.filters.http.router', typed_config: { '@type': `${type}.http.router.v3.Router` } };
  const hosts = [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }], ...host },
  ];
  const manager = {
    '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'gateway',
    use_remote_address: true,
    route_config: { virtual_hosts: hosts },
    http_filters: [filter, router],
  };
  return {
    name: 'gateway',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }],
  };
}
