import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { compile } from '../../src/rules/compile.ts';
import { readSettings } from '../../src/settings/read-settings.ts';
import { ENTRIES } from '../../src/settings/settings.ts';
import { helm } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { ROOT } from '../house/tree.ts';
import { CHART, containerOf, environmentOf, helmSays, only, type Resource, rendered, VALUE_SETS } from './chart.ts';
import { MANIFEST_FILE, manifest, schema, settingNames } from './generated.ts';
import { validator, wrongWith } from './kinds.ts';

const BUILD_MS = 600_000;
const ROUND_MS = 120_000;
const NAMES: ReadonlySet<string> = new Set(ENTRIES.map(([, { env }]) => env));
const seconds = (text = ''): number => Number(/^(\d+)s$/.exec(text)?.[1]);

describe('the Helm chart', () => {
  let binary: string;
  let python: string;
  const sets = new Map<string, readonly Resource[]>();
  const deployed = (set: string) => only(sets.get(set) ?? [], 'Deployment');

  before('build helm and render', async function () {
    this.timeout(BUILD_MS);
    binary = await orSkip(this, helm);
    python = await orSkip(this, validator);
    for (const [name, values] of Object.entries(VALUE_SETS)) sets.set(name, rendered(binary, values));
  });

  function refused(values: string | null, ...set: string[]): string {
    const { code, stderr } = helmSays(binary, ['template', 'weir', CHART], values, ...set);
    expect(code, stderr).to.not.equal(0);
    return stderr;
  }

  for (const [set, values] of Object.entries(VALUE_SETS)) {
    it(`passes helm lint --strict with ${set}`, async function () {
      this.timeout(ROUND_MS);
      const { code, stdout, stderr } = helmSays(binary, ['lint', '--strict', CHART], values);
      expect(code, stdout + stderr).to.equal(0);
    });

    it(`makes of ${set} what Kubernetes 1.29 and 1.37 and our schemas of custom kinds know`, async function () {
      this.timeout(ROUND_MS);
      expect(await wrongWith(python, sets.get(set) ?? [])).to.deep.equal([]);
    });

    it(`sets with ${set} names and values that weir reads without a warning, each once`, () => {
      const container = containerOf(deployed(set));
      const names = container.env.map(({ name }) => name);
      expect(names.filter((name) => !NAMES.has(name))).to.deep.equal([]);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).to.deep.equal([]);
      const { ignored, warnings } = readSettings([], environmentOf(container));
      expect([ignored, warnings]).to.deep.equal([[], []]);
    });

    it(`mounts with ${set} every path below /etc/weir that a setting names, and none that no setting names`, () => {
      const container = containerOf(deployed(set));
      const mounts = container.volumeMounts
        .map(({ mountPath }) => mountPath)
        .filter((path) => path.startsWith('/etc/weir/'));
      const named = Object.values(environmentOf(container)).filter((value) => value.startsWith('/etc/weir/'));
      expect(
        named.filter((path) => !mounts.some((mount) => path === mount || path.startsWith(`${mount}/`))),
      ).to.deep.equal([]);
      expect(
        mounts.filter((mount) => !named.some((path) => path === mount || path.startsWith(`${mount}/`))),
      ).to.deep.equal([]);
      const volumes = deployed(set).spec.template.spec.volumes.map(({ name }: { name: string }) => name);
      expect(container.volumeMounts.map(({ name }) => name)).to.have.members(volumes);
    });

    it(`lets a pod with ${set} live 10 s longer than DRAIN_DELAY and DRAIN_TIMEOUT together`, () => {
      const env = environmentOf(containerOf(deployed(set)));
      const drain = seconds(env.DRAIN_DELAY) + seconds(env.DRAIN_TIMEOUT);
      expect(deployed(set).spec.template.spec.terminationGracePeriodSeconds).to.equal(drain + 10);
    });

    it(`runs with ${set} as uid 65534 with nothing to write to, no capability and no token`, () => {
      const { spec } = deployed(set).spec.template;
      expect(spec.securityContext).to.include({ runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534 });
      expect(spec.automountServiceAccountToken).to.equal(false);
      expect(spec.enableServiceLinks).to.equal(false);
      expect(containerOf(deployed(set)).securityContext).to.deep.equal({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    });
  }

  it('has rules of its own that load, mounted as a directory and not as a subPath', () => {
    const { data } = only(sets.get('defaults') ?? [], 'ConfigMap', 'weir-rules');
    const files = Object.entries(data as Record<string, string>).map(([name, text]) => ({ name, text }));
    expect(compile(files, { mergeDomains: false, generation: 1 })).to.have.property('ok', true);
    const [rules] = containerOf(deployed('defaults')).volumeMounts.filter(({ name }) => name === 'rules');
    expect(rules).to.deep.equal({ name: 'rules', mountPath: '/etc/weir/rules', readOnly: true });
  });

  it('does not restart pods for new rules: nothing in the pods depends on them', () => {
    const other = rendered(binary, null, 'rules.files.other\\.yaml=domain: other');
    expect(Object.keys(only(other, 'ConfigMap', 'weir-rules').data)).to.deep.equal(['other.yaml']);
    expect(only(other, 'Deployment')).to.deep.equal(deployed('defaults'));
  });

  it('asks /livez for liveness and /readyz for readiness, but /healthcheck where pods have an answer without Redis', () => {
    const paths = (set: string) => {
      const { startupProbe, livenessProbe, readinessProbe } = containerOf(deployed(set));
      return [startupProbe, livenessProbe, readinessProbe].map((probe) => probe.httpGet.path);
    };
    expect(paths('defaults')).to.deep.equal(['/livez', '/livez', '/readyz']);
    expect(paths('cluster')).to.deep.equal(['/livez', '/livez', '/healthcheck']);
  });

  it('shares local limits among 4 replicas, and among 12 where it may grow to 12', () => {
    expect(environmentOf(containerOf(deployed('cluster'))).LOCAL_FALLBACK_SHARE).to.equal('4');
    expect(environmentOf(containerOf(deployed('sentinel'))).LOCAL_FALLBACK_SHARE).to.equal('12');
    expect(deployed('sentinel').spec).to.not.have.property('replicas');
  });

  it('takes settings as they are written: 2000000, 0.75, true, and 5m in place of its own', () => {
    expect(environmentOf(containerOf(deployed('cluster')))).to.include({
      MEMORY_MAX_KEYS: '2000000',
      NEAR_LIMIT_RATIO: '0.75',
      LIMIT_RESPONSE_HEADERS_ENABLED: 'true',
      GRPC_MAX_CONNECTION_AGE: '5m',
    });
  });

  it('puts a password into the environment only when it is told to, and from a Secret', () => {
    const { env } = containerOf(deployed('cluster'));
    expect(env).to.deep.include({
      name: 'REDIS_AUTH',
      valueFrom: { secretKeyRef: { name: 'redis', key: 'password' } },
    });
    const sentinel = containerOf(deployed('sentinel')).env.map(({ name }) => name);
    expect(sentinel).to.include.members(['REDIS_AUTH_FILE', 'REDIS_SENTINEL_AUTH', 'REDIS_PERSECOND_AUTH_FILE']);
    expect(sentinel).to.not.include.members(['REDIS_AUTH']);
  });

  it('lets nobody reach the admin port through a Service or its NetworkPolicy', () => {
    const ports = only(sets.get('sentinel') ?? [], 'Service').spec.ports.map(({ targetPort }: Resource) => targetPort);
    expect(ports).to.deep.equal(['grpc', 'http']);
    const { ingress } = only(sets.get('sentinel') ?? [], 'NetworkPolicy').spec;
    expect(ingress.flatMap(({ ports }: Resource) => ports.map(({ port }: Resource) => port))).to.deep.equal([
      'grpc',
      'http',
    ]);
    expect(only(sets.get('cluster') ?? [], 'NetworkPolicy').spec.ingress).to.have.length(1);
  });

  it('lets pods dial the ports of their addresses: 26379, 6380 and 6379, or 6380 and a control plane at 18000', () => {
    const ports = (set: string): readonly number[] =>
      only(sets.get(set) ?? [], 'NetworkPolicy').spec.egress[1].ports.map(({ port }: Resource) => port);
    expect(ports('sentinel')).to.deep.equal([26379, 6380, 6379]);
    expect(ports('control-plane')).to.deep.equal([6380, 18000]);
  });

  it('is held against schemas that refuse one misspelled word', async function () {
    this.timeout(ROUND_MS);
    const all = sets.get('cluster') ?? [];
    const deployment = only(all, 'Deployment');
    const monitor = only(all, 'ServiceMonitor');
    const misspelled = [
      { ...deployment, spec: { ...deployment.spec, replica: 2 } },
      { ...monitor, spec: { ...monitor.spec, endpoint: [] } },
      { ...monitor, kind: 'PodMonitor' },
    ];
    for (const each of misspelled) expect((await wrongWith(python, [each])).length).to.be.at.least(1);
  });

  it('brings the dashboard of deploy/grafana as a ConfigMap when asked to', () => {
    const all = rendered(binary, null, 'dashboard.enabled=true');
    const { data, metadata } = only(all, 'ConfigMap', 'weir-dashboard');
    expect(metadata.labels).to.include({ grafana_dashboard: '1' });
    expect(JSON.parse(data['weir.json'])).to.deep.equal(
      JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/weir.json'), 'utf8')),
    );
  });

  it('brings the rules of deploy/prometheus as a PrometheusRule', () => {
    const { spec } = only(sets.get('cluster') ?? [], 'PrometheusRule');
    expect(spec).to.deep.equal(parse(readFileSync(join(ROOT, 'deploy/prometheus/weir.rules.yaml'), 'utf8')));
  });

  it('refuses a misspelled value, a misspelled setting, a secret among settings and a password in a URL', () => {
    expect(refused(null, 'replica=3')).to.include('replica');
    expect(refused(null, 'settings.STORE_FAILURES=allow')).to.include('STORE_FAILURES');
    expect(refused(null, 'settings.REDIS_AUTH=x')).to.include('REDIS_AUTH');
    expect(refused(null, 'settings.OTEL_EXPORTER_OTLP_HEADERS=a=b')).to.include('OTEL_EXPORTER_OTLP_HEADERS');
    expect(refused(null, 'settings.DRAIN_DELAY=7s')).to.include('DRAIN_DELAY');
    expect(refused(null, 'redis.url=redis://:hunter2@redis:6379')).to.include('/redis/url');
  });

  it('refuses what would not work: 2 pods that count by themselves, xDS without a server, TLS without a certificate', () => {
    expect(refused(null, 'redis.enabled=false')).to.include('set replicas to 1');
    expect(refused(null, 'rules.xds.enabled=true')).to.include('rules.xds.server');
    expect(refused(null, 'grpc.tls.enabled=true')).to.include('grpc.tls.secret');
    expect(refused(null, 'rules.existingConfigMap=x', 'rules.files.a=b')).to.include('from one place');
    expect(refused(null, 'perSecondRedis.enabled=true')).to.include('perSecondRedis.url');
    expect(refused(null, 'redis.url=a:1\\,b:2')).to.include('redis.url: of type single');
    expect(refused(null, 'redis.type=sentinel')).to.include('redis.url: of type sentinel');
    expect(refused(null, 'redis.type=cluster', 'redis.db=3')).to.include('no database but 0');
    const noAuthority = ['grpc.tls.enabled=true', 'grpc.tls.secret=a', 'grpc.tls.clientName=b'];
    expect(refused(null, ...noAuthority)).to.include('grpc.tls.clientCaSecret');
  });

  it('tells after the installation where weir answers and what rules it has', () => {
    const { stdout } = helmSays(binary, ['install', 'weir', CHART, '--namespace', 'n', '--dry-run=client'], null);
    expect(stdout).to.include('weir.n.svc:8081 (gRPC in plain text)').and.include('Its rules are an example');
    expect(stdout).to.include('exec deployment/weir -- /bin/ratelimit doctor');
  });

  it('knows below settings all but secrets and what has a value of its own (npx tsx test/deploy/generated.ts --write)', () => {
    expect(schema().$defs.setting.enum).to.deep.equal(settingNames());
  });

  it('is what deploy/kubernetes/20-weir.yaml was made of (npx tsx test/deploy/generated.ts --write)', () => {
    expect(readFileSync(MANIFEST_FILE, 'utf8')).to.equal(manifest(binary));
  });

  it('has the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'));
    expect([chart.version, chart.appVersion]).to.deep.equal([version, version]);
  });
});
