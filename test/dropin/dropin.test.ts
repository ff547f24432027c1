import { Agent } from 'node:http';
import { expect } from 'chai';
import { readSettings } from '../../src/settings/read-settings.ts';
import { builtImage, type Image } from '../container/image.ts';
import { type Answer, get } from '../e2e/client.ts';
import { orSkip } from '../foreign/toolchain.ts';
import { closers } from '../service/closers.ts';
import { metric, page, probes } from '../service/page.ts';
import { needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { needsRedis } from '../support/redis.ts';
import { httpUpstream } from '../support/upstream.ts';
import { controlPlaneProgram, type PlaneDomain, type PlaneRule } from '../xds/control-plane.ts';
import { type Deployment, deployments, type Requests } from './deployment.ts';
import { type Gateway, gateway } from './gateway.ts';
import { type Site, site } from './site.ts';

const BUILD_MS = 300_000;
const ROUND_MS = 60_000;
/** The number of the unit over xDS. */
const YEAR = 6;

describe('in place of the Go service', function () {
  this.timeout(ROUND_MS);
  let image: Image;

  before('build the image', async function () {
    this.timeout(BUILD_MS);
    needsRedis(this);
    needEnvoy(this);
    image = builtImage();
  });

  for (const deployment of deployments()) describe(title(deployment), () => runs(deployment, () => image));
});

/** What cannot be built is told by name. */
function title({ name, env }: Deployment): string {
  return `as ${name} runs it${env.CONFIG_TYPE === undefined ? '' : ' (needs go)'}`;
}

function runs(deployment: Deployment, image: () => Image): void {
  const opened = closers();
  const first = deployment.rules[0] as PlaneDomain;
  const agent = new Agent({ keepAlive: true });
  let place: Site;
  let door: Gateway;

  before(async function () {
    this.timeout(BUILD_MS);
    if (deployment.env.CONFIG_TYPE !== undefined) await orSkip(this, controlPlaneProgram);
    opened(agent, () => agent.destroy());
    const app = await httpUpstream();
    opened(app, app.stop);
    place = await site(image(), deployment);
    opened(place, place.close);
    const ports = { grpc: place.ports.grpc, app: app.port };
    door = await gateway(deployment, ports, place.authority.ca);
    opened(door, door.stop);
  });

  const healthcheck = async () => (await page(place.ports.http, '/healthcheck')).status;
  const becomes = (status: number) =>
    eventually(`/healthcheck to answer ${status}`, async () => {
      if (!place.process().running()) throw new Error(place.process().output());
      return (await healthcheck()) === status;
    });

  /** What /rlconfig shows, once it is what is waited for. */
  const shown = (isIt: (body: string) => boolean) =>
    eventually('the rules', async () => {
      const { body } = await page(place.ports.admin, '/rlconfig');
      return isIt(body) && body;
    });

  async function sent({ from, path, headers = {}, answers }: Requests): Promise<readonly Answer[]> {
    const got: Answer[] = [];
    const ask = { agent, port: door.port, path, headers: { ...headers, 'x-forwarded-for': from }, id: 'x' };
    for (const _ of answers) got.push(await get(ask));
    return got;
  }

  it('takes its environment whole: every name has an effect, and none is warned of', () => {
    for (const more of [{}, ...(deployment.variants ?? [])]) {
      const { ignored, warnings } = readSettings([], { ...deployment.env, ...more });
      expect([ignored, warnings]).to.deep.equal([[], []]);
    }
    for (const { path, port } of deployment.probes) {
      expect([path, port]).to.deep.equal(['/healthcheck', deployment.ports.http]);
    }
  });

  it(`opens ${Object.values(deployment.ports).join(', ')} with its exact environment`, async () => {
    const alone = await place.startAlone();
    const line = await eventually('the start line', () => {
      if (!alone.running()) throw new Error(alone.output());
      return /serving: ([^"]*)/.exec(alone.output())?.[1];
    });
    const doors = line.split(', ').map((door) => door.replace(/ .*:/, ' '));
    expect(doors).to.have.members(Object.entries(deployment.ports).map(([name, port]) => `${name} ${port}`));
    expect(line.includes('grpc [::]')).to.equal(deployment.env.GRPC_HOST === '::');
  });

  it('opens its ports while Redis is away, unhealthy with 500, and is healthy with "OK" once it is there', async () => {
    await place.redis.kill();
    await place.start();
    await becomes(500);
    expect((await probes(place.ports.http)).livez).to.equal(200);
    await place.redis.restart();
    await becomes(200);
    expect((await page(place.ports.http, '/healthcheck')).body).to.equal('OK');
  });

  it('has read the rules, and shows them at /rlconfig on the admin port', async () => {
    const body = await shown((lines) => lines !== '');
    const { key, value } = first.descriptors[0] as PlaneRule;
    expect(body).to.include(`${first.domain}.${key}${value === undefined ? '' : `_${value}`}`);
  });

  for (const requests of deployment.requests) {
    const { from, path, headers, answers } = requests;
    const who = [from, ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`)].join(', ');
    it(`answers ${answers.join(', ')} to ${path} from ${who}, through a real Envoy`, async () => {
      const got = await sent(requests);
      expect(got.map(({ status }) => status)).to.deep.equal(answers);
      for (const { headers: of } of got) expect(of).to.have.property('x-ratelimit-limit');
      expect(got[0]?.headers).to.include(requests.first ?? {});
      expect(got.at(-1)?.headers).to.include(requests.last ?? {});
    });
  }

  it('tells what it counted to whoever scrapes it', async () => {
    const { prometheus } = deployment.ports;
    const { body } = await page(prometheus === undefined ? place.ports.http : place.ports.prometheus, '/metrics');
    expect(body.split('\n')).to.include.members([...deployment.series]);
  });

  if (deployment.env.PROMETHEUS_MAPPER_YAML !== undefined) {
    it('drops what the mapping drops: a third level, and a metric that it does not mention', async () => {
      const refused = await fetch(`http://127.0.0.1:${place.ports.http}/json`, { method: 'POST', body: '{}' });
      expect(refused.status).to.equal(400);
      const error = 'ratelimit_service_should_rate_limit_error';
      expect((await page(place.ports.http, '/metrics')).body).to.include(`${error}{err_type="service_error"} 1`);
      const { body } = await page(place.ports.prometheus, '/metrics');
      expect(body).to.include('# TYPE ratelimit_service_response_time_seconds histogram');
      expect(body).to.not.include(error).and.not.include('rule-1-match--1');
    });
  }

  it(`takes ${deployment.configMap === undefined ? 'a new set over xDS' : "a ConfigMap's swap of ..data"}`, async () => {
    const unit = deployment.configMap === undefined ? YEAR : 'year';
    const rate_limit = { unit: unit as typeof YEAR, requests_per_unit: 1 };
    await place.replace([{ ...first, descriptors: [{ key: 'swapped', rate_limit }] }]);
    const line = 'swapped: unit=YEAR requests_per_unit=1, shadow_mode: false, quota_mode: false';
    await shown((body) => body === `${first.domain}.${line}\n`);
    const before = deployment.requests.find(({ answers }) => answers.includes(429)) as Requests;
    expect((await sent({ ...before, answers: [200] })).map(({ status }) => status)).to.deep.equal([200]);
  });

  it('stays healthy when Redis goes away later, as a liveness probe would have it killed', async () => {
    await place.redis.kill();
    await eventually('it to notice', async () => (await probes(place.ports.http)).readyz === 503);
    expect(await healthcheck()).to.equal(200);
    await place.redis.restart();
    await eventually('Redis to be back', async () => (await probes(place.ports.http)).readyz === 200);
  });

  it('is unhealthy with 500 from SIGTERM on, answers what is in flight, and ends with 0', async () => {
    await place.replace(deployment.rules);
    await shown((body) => !body.includes('swapped'));
    place.redis.freeze();
    // Redis came back empty, so its first answer is what it was at first.
    const answer = sent({ ...(deployment.requests[0] as Requests), answers: [200] });
    await eventually('a call in flight', async () => (await metric(place.ports.http, 'ratelimit_in_flight')) === 1);
    place.signal('SIGTERM');
    await becomes(500);
    place.redis.thaw();
    expect((await answer).map(({ status }) => status)).to.deep.equal([200]);
    expect(await place.process().ended).to.deep.equal({ code: 0, signal: null });
  });
}
