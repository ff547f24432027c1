import { expect } from 'chai';
import { compile } from '../../src/rules/compile.ts';
import { helm } from '../foreign/go-tools.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { CHART, containerOf, environmentOf, helmSays, only, type Resource, renderedAs, VALUE_SETS } from './chart.ts';
import { validator, wrongWith } from './kinds.ts';

const BUILD_MS = 600_000;
const ROUND_MS = 120_000;
const ODD = { name: 'on', namespace: '123' };

describe('the Helm chart with odd but legal values', () => {
  let binary: string;
  let all: readonly Resource[];
  const deployment = () => only(all, 'Deployment');

  before('build helm and render', async function () {
    this.timeout(BUILD_MS);
    binary = await orSkip(this, helm);
    all = renderedAs(ODD, binary, VALUE_SETS.odd ?? null);
  });

  const withValues = (...set: string[]) => renderedAs({ name: 'weir', namespace: 'n' }, binary, null, ...set);
  function refused(...set: string[]): string {
    const { code, stderr } = helmSays(binary, ['template', 'weir', CHART], null, ...set);
    expect(code, stderr).to.not.equal(0);
    return stderr;
  }

  it('names all as a release `on` in a namespace `123` are named, in texts and not in booleans and numbers', async function () {
    this.timeout(ROUND_MS);
    expect(await wrongWith(await orSkip(this, validator), all)).to.deep.equal([]);
    expect(all.filter(({ metadata }) => metadata.namespace !== '123')).to.deep.equal([]);
    const { volumes, priorityClassName, serviceAccountName } = deployment().spec.template.spec;
    expect([priorityClassName, serviceAccountName]).to.deep.equal(['off', 'null']);
    expect(volumes.map((each: Resource) => each.configMap?.name ?? each.secret.secretName)).to.have.members([
      'on-rules',
      'on',
      '123',
      'yes',
    ]);
  });

  it('selects its pods whatever podLabels say', () => {
    const { selector, template } = deployment().spec;
    const selected = { 'app.kubernetes.io/name': '1e3', 'app.kubernetes.io/instance': 'on' };
    expect(selector.matchLabels).to.deep.equal(selected);
    expect(template.metadata.labels).to.include({ ...selected, team: 'no', 'app.kubernetes.io/version': '2.0' });
  });

  it('selects by two labels whatever the values are, since Kubernetes lets no upgrade change them', () => {
    for (const [set, values] of Object.entries(VALUE_SETS)) {
      if (set === 'odd') continue;
      const release = { name: 'one', namespace: 'n' };
      const { selector } = only(renderedAs(release, binary, values), 'Deployment').spec;
      const labels = { 'app.kubernetes.io/name': 'weir', 'app.kubernetes.io/instance': 'one' };
      expect(selector, set).to.deep.equal({ matchLabels: labels });
    }
  });

  it('gives weir the texts and numbers as they are written', () => {
    expect(environmentOf(containerOf(deployment()))).to.include({
      CACHE_KEY_PREFIX: 'a"b: {{ .x }} #\nc',
      MEMORY_MAX_KEYS: '16000000',
      GRPC_MAX_RUNNING_CALLS: '100000000',
      LOCAL_CACHE_SIZE_IN_BYTES: '0',
      REDIS_URL: '[fd00::1]:6379,[fd00::6380:2]:7000',
      GRPC_HOST: '::',
    });
    const huge = withValues('settings.MEMORY_MAX_KEYS=100000000000000000000');
    expect(environmentOf(containerOf(only(huge, 'Deployment'))).MEMORY_MAX_KEYS).to.equal('100000000000000000000');
  });

  it('takes a name of extraEnv in place of its own and of that in settings, each once', () => {
    const { env } = containerOf(deployment());
    const of = (name: string) => env.filter((each) => each.name === name);
    expect(of('GRPC_TRANSPORT')).to.deep.equal([{ name: 'GRPC_TRANSPORT', value: 'grpc-js' }]);
    expect(of('SHADOW_MODE')).to.deep.equal([{ name: 'SHADOW_MODE', value: 'true' }]);
    expect(of('REDIS_TYPE')).to.have.length(1);
  });

  it('keeps rules as they are, with a first line that is deeper than the next, braces, and CR LF', () => {
    const { data } = only(all, 'ConfigMap', 'on-rules');
    expect(data.on).to.equal("  # This line is deeper than the next.\ndomain: 'a{{ .Values }}b'\n");
    expect(data['crlf.yaml']).to.equal('domain: e\r\ndescriptors: []\r\n');
    const files = Object.entries<string>(data).map(([name, text]) => ({ name, text }));
    expect(compile(files, { mergeDomains: false, generation: 1 })).to.have.property('ok', true);
  });

  it('lets pods dial 6379 and 7000 of IPv6 addresses, and no port that is a part of one', () => {
    const [, redis] = only(all, 'NetworkPolicy').spec.egress;
    expect(redis.ports.map(({ port }: Resource) => port)).to.deep.equal([6379, 7000]);
  });

  it('says nothing of replicas when they are null or 3 to 12, and 0 when they are 0', () => {
    expect(deployment().spec.replicas).to.equal(0);
    const autoscaled = ['autoscaling.enabled=true', 'autoscaling.minReplicas=3', 'autoscaling.maxReplicas=12'];
    for (const set of [['replicas=null'], autoscaled, [...autoscaled, 'replicas=null']])
      expect(only(withValues(...set), 'Deployment').spec).to.not.have.property('replicas');
  });

  it('refuses to count in memory in any number of pods but 0 or 1', () => {
    for (const replicas of ['null', '2'])
      expect(refused('redis.enabled=false', `replicas=${replicas}`)).to.include('without Redis');
    for (const replicas of [0, 1]) {
      const { spec } = only(withValues('redis.enabled=false', `replicas=${replicas}`), 'Deployment');
      expect(spec.replicas).to.equal(replicas);
    }
  });

  it('leaves a probe out that is null', () => {
    const container = containerOf(only(withValues('probes.startup=null'), 'Deployment'));
    expect(container).to.include.keys('livenessProbe', 'readinessProbe').and.not.have.property('startupProbe');
  });

  it('makes names of 63 characters at most of a release with 53 and dots', () => {
    const name = `${'a.b'.repeat(17)}ab`;
    const names = renderedAs({ name, namespace: 'n' }, binary, null).filter(({ kind }) => kind !== 'ConfigMap');
    for (const { metadata } of names) expect(metadata.name).to.match(/^[-abweir]{1,63}$/);
  });

  it('refuses what Kubernetes would, and says which value it is', () => {
    expect(refused('autoscaling.enabled=true', 'autoscaling.minReplicas=12')).to.include('autoscaling.maxReplicas');
    expect(refused('service.headless=true', 'service.type=LoadBalancer')).to.include('service.headless');
    expect(refused('podDisruptionBudget.maxUnavailable=0%')).to.include('maxUnavailable');
    expect(refused('fullnameOverride=Weir_1')).to.include('fullnameOverride');
    expect(refused('extraEnv[0].name=LOG_LEVEL', 'extraEnv[0].value=5')).to.include('/extraEnv/0/value');
    expect(refused('extraEnv[0].value=5')).to.include('/extraEnv/0');
    expect(refused('extraEnv[0].name=A', 'extraEnv[1].name=A')).to.include('A is there twice');
    expect(refused('extraEnv[0].name=GRPC_PORT')).to.include('GRPC_PORT');
  });
});
