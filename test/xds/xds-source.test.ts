import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import { PROTO_OPTIONS } from '../../src/grpc/protos.ts';
import { type AnyMessage, TYPE_URL } from '../../src/xds/discovery.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/port.ts';
import { type FakePlane, fakePlane } from './fake-plane.ts';
import { type StartedSource, startedSource } from './started-source.ts';

const CONFIG = loadSync('ratelimit/config/ratelimit/v3/rls_conf.proto', PROTO_OPTIONS)[
  'ratelimit.config.ratelimit.v3.RateLimitConfig'
] as MessageTypeDefinition<object, object>;

const any = (config: object): AnyMessage => ({ type_url: TYPE_URL, value: CONFIG.serialize(config) });
const domain = (name: string): AnyMessage => any({ name, domain: name, descriptors: [{ key: 'k' }] });

describe('rules over xDS', () => {
  let plane: FakePlane;
  let started: StartedSource;

  beforeEach(async () => {
    plane = await fakePlane();
    const starting = startedSource(plane.address);
    await plane.request(1);
    plane.send({ version_info: '1', nonce: 'a', resources: [domain('one')] });
    started = await starting;
  });

  afterEach(async () => {
    await started?.loader.stop();
    plane?.close();
  });

  const domains = (): string[] => [...(started.loader.current()?.domains.keys() ?? [])];

  it('are there when the start is over', () => {
    expect(domains()).to.deep.equal(['one']);
    expect(started.source.numbers()).to.include({ connected: true, connects: 1, accepted: 1, refused: 0 });
  });

  const WRONG: readonly (readonly [what: string, resource: AnyMessage, problem: RegExp])[] = [
    ['that cannot be decoded', { type_url: TYPE_URL, value: Buffer.from([0xff]) }, /^resource 2: cannot be decoded: /],
    ['of another type', { type_url: 'x/y', value: Buffer.alloc(0) }, /^resource 2: is of type 'x\/y', not 'type\./],
    ['with 101 rules inside one another', nested(101), /^resource 2: cannot be decoded: .*depth/],
  ];
  for (const [what, resource, problem] of WRONG) {
    it(`refuse a set with a resource ${what}, tell it once, and keep the good set`, async () => {
      for (const nonce of ['b', 'c']) plane.send({ version_info: '2', nonce, resources: [domain('two'), resource] });
      const { error_detail: error, ...request } = await plane.request(3);
      expect(request).to.include({ version_info: '1', response_nonce: 'c' });
      expect(error?.message).to.match(problem);
      expect(domains()).to.deep.equal(['one']);
      expect(started.reports.map(({ ok }) => ok)).to.deep.equal([true, false]);
      plane.send({ version_info: '3', nonce: 'd', resources: [domain('two')] });
      expect(await plane.request(4)).to.include({ version_info: '3', response_nonce: 'd' });
      expect([domains(), started.reports.at(-1)?.ok]).to.deep.equal([['two'], true]);
    });
  }

  it('are the same set when its resources come in another order', async () => {
    plane.send({ version_info: '2', nonce: 'b', resources: [domain('x'), domain('y')] });
    await plane.request(3);
    plane.send({ version_info: '3', nonce: 'c', resources: [domain('y'), domain('x')] });
    expect(await plane.request(4)).to.include({ version_info: '3', response_nonce: 'c' });
    expect(started.loader.current()?.generation).to.equal(2);
  });

  it('refuse a response of another type than was asked for', async () => {
    plane.send({ version_info: '2', nonce: 'b', type_url: 'type.googleapis.com/other' });
    expect((await plane.request(3)).error_detail?.message).to.match(
      /^response: is of type 'type.googleapis.com\/other'/,
    );
    expect(domains()).to.deep.equal(['one']);
  });

  it('name a resource without name and domain by its place', async () => {
    plane.send({ version_info: '2', nonce: 'b', resources: [any({})] });
    expect((await plane.request(3)).error_detail?.message).to.equal('resource 1: config file cannot have empty domain');
  });
});

describe('rules over xDS without a server', () => {
  it('end no start, and come when the server does', async () => {
    const port = await freePort();
    const { source, loader, losses } = await startedSource(`127.0.0.1:${port}`);
    try {
      expect(loader.current()).to.equal(null);
      await eventually('2 dials that fail', () => losses.length >= 2);
      expect(losses[0]).to.match(/^UNAVAILABLE: /);
      expect(source.numbers()).to.include({ connected: false, connects: 0 });
    } finally {
      await loader.stop();
    }
  });

  it('end a start when the files for TLS cannot be read', async () => {
    const tls = { ca: '/nowhere/ca.pem', cert: null, key: null, san: null };
    const refused = await startedSource('127.0.0.1:1', { tls }).catch((error: Error) => error);
    expect((refused as Error).message).to.match(/^TLS to the control plane from \/nowhere\/ca.pem: ENOENT/);
  });
});

describe('rules over xDS from a server that takes no more than it must', () => {
  it('are not taken beyond XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES, and the good ones stay', async () => {
    const plane = await fakePlane();
    const starting = startedSource(plane.address, { maxMessageBytes: 1_000 });
    await plane.request(1);
    plane.send({ version_info: '1', nonce: 'a', resources: [domain('one')] });
    const { loader, losses } = await starting;
    try {
      plane.send({ version_info: '2', nonce: 'b', resources: [domain('x'.repeat(2_000))] });
      await eventually('the stream to end', () => losses.length > 0);
      expect(losses[0]).to.match(/^RESOURCE_EXHAUSTED: /);
      expect([...loader.current()!.domains.keys()]).to.deep.equal(['one']);
      expect(await plane.request(3)).to.include({ version_info: '1', response_nonce: '' });
    } finally {
      await loader.stop();
      plane.close();
    }
  });
});

/** A config whose rules stand inside one another. Written by hand: the library would refuse to. */
function nested(depth: number): AnyMessage {
  let message: Buffer = Buffer.from([0x0a, 1, 0x6b]);
  for (let i = 1; i < depth; i++) message = field(0x22, message);
  return { type_url: TYPE_URL, value: field(0x1a, message) };
}

function field(tag: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.from([tag, ...length, ...bytes]);
}
