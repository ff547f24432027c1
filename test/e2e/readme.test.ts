import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';
import { type Envoy, type EnvoyJson, envoy, needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type Service, service } from '../support/service.ts';
import { type HttpUpstream, httpUpstream } from '../support/upstream.ts';
import { type Answer, get } from './client.ts';
import { secondsLeft } from './window.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/envoy/', import.meta.url));

/** The files of deploy/envoy as they are, but for the ports. */
describe('the Envoy configuration that the README shows', () => {
  const agent = new Agent();
  let weir: Service;
  let upstream: HttpUpstream;
  let proxy: Envoy;
  let port: number;

  before(async function () {
    needEnvoy(this);
    weir = await service({ rules: { 'edge.yaml': await readFile(`${DEPLOY}edge.yaml`, 'utf8') } });
    upstream = await httpUpstream();
    port = await freePort();
    const ports = new Map([
      ['10000', port],
      ['3000', upstream.port],
      ['8081', weir.grpcPort],
    ]);
    const text = await readFile(`${DEPLOY}envoy.yaml`, 'utf8');
    const { static_resources: resources } = parse(
      text.replace(/port_value: (\d+)/g, (all, given) => (ports.has(given) ? `port_value: ${ports.get(given)}` : all)),
    ) as { static_resources: { listeners: EnvoyJson[]; clusters: EnvoyJson[] } };
    proxy = await envoy(resources);
  });
  after(async () => {
    agent.destroy();
    await proxy?.stop();
    await upstream?.stop();
    await weir?.close();
  });

  it('lets 10 requests of an address pass in a minute and answers the 11th with 429 and retry-after', async () => {
    await eventually('a minute that does not end meanwhile', () => secondsLeft({ unit: 'hour', seconds: 60 }) > 5);
    const answers = await elevenAnswers();
    expect(answers.map(({ status }) => status)).to.deep.equal([...new Array(10).fill(200), 429]);
    const { headers } = answers.at(-1) as Answer;
    expect(headers['x-ratelimit-limit']).to.equal('10, 10;w=60');
    expect(headers['x-ratelimit-remaining']).to.equal('0');
    expect(Number(headers['retry-after'])).to.be.within(1, 60);
  });

  async function elevenAnswers(): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (let i = 0; i < 11; i++) answers.push(await get({ agent, port, path: '/', headers: {}, id: `readme-${i}` }));
    return answers;
  }
});
