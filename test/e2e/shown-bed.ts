import { Agent } from 'node:http';
import { parse } from 'yaml';
import { read } from '../house/tree.ts';
import { type Envoy, type EnvoyOptions, envoy, needEnvoy } from '../support/envoy.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type Rules, type Service, service } from '../support/service.ts';
import { type HttpUpstream, httpUpstream } from '../support/upstream.ts';
import { type Answer, get } from './client.ts';
import { secondsLeft } from './window.ts';

/** `deploy/envoy/edge.yaml`: 10 requests a minute of each address, in the domain that the shown files name. */
export const EDGE_RULES: Rules = { 'edge.yaml': read('deploy/envoy/edge.yaml') };

/** Where the parts of the bed are: Envoy's door, the application behind it, weir's gRPC. */
export interface Ports {
  readonly door: number;
  readonly app: number;
  readonly weir: number;
}

/** A weir in memory, an application, and a real Envoy with a configuration that we show to people. */
export interface ShownBed {
  /** The answers to `count` requests through Envoy, one after the other. */
  answers(count: number): Promise<readonly Answer[]>;
  /** The answers to 11 requests of one minute. */
  elevenInAMinute(): Promise<readonly Answer[]>;
  envoy(): Envoy;
}

/** Called in a `describe`. The bed runs before its first case. */
export function shownBed(rules: Rules, config: (ports: Ports) => EnvoyOptions): ShownBed {
  const agent = new Agent();
  let weir: Service;
  let upstream: HttpUpstream;
  let proxy: Envoy;
  let door: number;
  let asked = 0;

  before(async function () {
    needEnvoy(this);
    weir = await service({ rules });
    upstream = await httpUpstream();
    door = await freePort();
    proxy = await envoy(config({ door, app: upstream.port, weir: weir.grpcPort }));
  });
  after(async () => {
    agent.destroy();
    await proxy?.stop();
    await upstream?.stop();
    await weir?.close();
  });

  async function answers(count: number): Promise<readonly Answer[]> {
    const all: Answer[] = [];
    while (all.length < count) {
      all.push(await get({ agent, port: door, path: '/', headers: {}, id: `shown-${++asked}` }));
    }
    return all;
  }
  return {
    answers,
    async elevenInAMinute() {
      await eventually('a minute that does not end meanwhile', () => secondsLeft({ unit: 'hour', seconds: 60 }) > 5);
      return answers(11);
    },
    envoy: () => proxy,
  };
}

/** deploy/envoy/envoy.yaml as it is, but for the ports, and that it waits for weir, since a machine may be busy. */
export function deployedEnvoy({ door, app, weir }: Ports): EnvoyOptions {
  const ports: Readonly<Record<string, number>> = { 10000: door, 3000: app, 8081: weir };
  const text = read('deploy/envoy/envoy.yaml')
    .replace(/port_value: (\d+)/g, (all, given: string) => (ports[given] ? `port_value: ${ports[given]}` : all))
    .replace(/timeout: 0\.\d+s/, 'timeout: 10s');
  return (parse(text) as { static_resources: EnvoyOptions }).static_resources;
}
