import { connect } from 'node:net';
import { expect } from 'chai';
import { CODE, FLAG, FRAME } from '../../src/wire/http2/frame.ts';
import { eventually } from '../support/eventually.ts';
import { type Service, service } from '../support/service.ts';
import { call, frame, GREETING, headers, type Peer, peer, reset, rpcFields } from '../wire/peer.ts';
import { caller, one } from './caller.ts';
import { closers } from './closers.ts';
import { metric } from './page.ts';

const RULES = {
  'd.yaml': { domain: 'd', descriptors: [{ key: 'k', rate_limit: { unit: 'hour', requests_per_unit: 9 } }] },
};
const CHECK = '/grpc.health.v1.Health/Check';
const ASKED = one('d', 'k', 'v');
const NOTHING = Buffer.alloc(0);
const PING = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
const times = (n: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: n }, (_, i) => make(i)));

const ended = (weir: Service, because: string) =>
  metric(weir.httpPort, `ratelimit_grpc_connections_ended_total{because="${because}"}`);
const refused = (weir: Service, because: string) =>
  metric(weir.httpPort, `ratelimit_grpc_calls_refused_total{because="${because}"}`);

for (const transport of ['grpc-js', 'wire']) {
  describe(`the bounds of the gRPC port on ${transport}`, () => {
    const opened = closers();

    async function start(env: Readonly<Record<string, string>>): Promise<Service> {
      const weir = await service({ rules: RULES, env: { GRPC_TRANSPORT: transport, ...env } });
      return opened(weir, weir.close);
    }
    async function greeted(weir: Service, ...first: readonly Buffer[]): Promise<Peer> {
      const client = await peer(weir.grpcPort);
      opened(client, client.close);
      client.send(GREETING, ...first);
      return client;
    }

    it('closes the 2nd connection of 1, tells of it, and of the one that is open', async () => {
      const weir = await start({ GRPC_MAX_CONNECTIONS: '1' });
      const first = await greeted(weir, call(1, CHECK, NOTHING));
      expect((await first.answer(1)).fields['grpc-status']).to.equal('0');
      expect(await metric(weir.httpPort, 'ratelimit_grpc_connections')).to.equal(1);
      const second = connect(weir.grpcPort, '127.0.0.1').on('error', () => {});
      await eventually('it to be closed', () => second.resume().destroyed);
      expect(await ended(weir, 'max_connections')).to.equal(1);
    });

    it('refuses 5,000 bytes of header where 4,096 may be, and not where 16,384 may', async () => {
      for (const [bytes, status] of [
        ['4096', undefined],
        ['16384', '0'],
      ] as const) {
        const weir = await start({ GRPC_MAX_HEADER_LIST_BYTES: bytes });
        const client = await greeted(weir, call(1, CHECK, NOTHING, 'x-long', 'y'.repeat(5_000)));
        const { fields } = await client.answer(1);
        // grpc-js leaves it to Node, which resets the call.
        expect(fields['grpc-status']).to.equal(status ?? (transport === 'wire' ? '8' : undefined));
        if (transport === 'wire') expect(await refused(weir, 'max_header_list_bytes')).to.equal(status === '0' ? 0 : 1);
      }
    });

    it('pings a silent connection after 100 ms, and cuts it 2 s later; one that answers stays', async () => {
      const weir = await start({ GRPC_KEEPALIVE_TIME: '100ms', GRPC_KEEPALIVE_TIMEOUT: '2s' });
      const dead = await greeted(weir);
      const alive = await greeted(weir);
      alive.socket.on('data', () => alive.send(...pongs(alive)));
      await dead.farewell();
      expect(alive.closed()).to.equal(false);
      if (transport === 'wire') expect(await ended(weir, 'keepalive_timeout')).to.equal(1);
    });

    it('asks a connection to leave that has had no call for 100 ms', async () => {
      const weir = await start({ GRPC_MAX_CONNECTION_IDLE: '100ms' });
      const idle = await greeted(weir);
      const goaway = await idle.next(FRAME.goaway);
      expect(goaway.payload.readUInt32BE(4)).to.equal(CODE.noError);
    });
  });
}

/** Answers to the PINGs that it has heard since the last time. */
function pongs({ heard }: Peer): Buffer[] {
  return heard
    .filter(({ type, flags }) => type === FRAME.ping && flags === 0)
    .slice(-1)
    .map(({ payload }) => frame(FRAME.ping, FLAG.ack, 0, payload));
}

describe('attackers of the gRPC port on wire', () => {
  const opened = closers();
  let weir: Service;

  before(async () => {
    const env = {
      GRPC_TRANSPORT: 'wire',
      GRPC_MAX_CONTROL_FRAMES: '10,1',
      GRPC_MAX_RESETS: '10,1',
      GRPC_MAX_STREAM_ERRORS: '10,1',
      GRPC_MAX_CONTINUATIONS: '10',
      GRPC_HANDSHAKE_TIMEOUT: '2s',
      GRPC_MAX_STREAMS: '1024',
      GRPC_MAX_RUNNING_CALLS: '1',
      GRPC_REQUEST_TIMEOUT: '2s',
    };
    weir = await service({ rules: RULES, env });
    opened(weir, weir.close);
  });

  const attacks: readonly (readonly [because: string, what: string, code: number, said: Buffer])[] = [
    ['max_control_frames', '100 PINGs of 10', CODE.enhanceYourCalm, times(100, () => PING)],
    [
      'max_resets',
      '100 calls taken back of 10',
      CODE.enhanceYourCalm,
      times(100, (i) => Buffer.concat([call(2 * i + 1, CHECK, NOTHING), reset(2 * i + 1, CODE.cancel)])),
    ],
    [
      'max_stream_errors',
      '100 malformed calls of 10',
      CODE.enhanceYourCalm,
      times(100, (i) => headers(2 * i + 1, ['x', 'y'], true)),
    ],
    [
      'max_continuations',
      '100 CONTINUATION frames of 10',
      CODE.enhanceYourCalm,
      times(100, (i) => frame(i === 0 ? FRAME.headers : FRAME.continuation, 0, 1, Buffer.of(0x82))),
    ],
    ['handshake_timeout', 'a block that is not finished in 2 s', CODE.enhanceYourCalm, frame(FRAME.headers, 0, 1)],
    ['protocol_error', 'DATA on stream 0', CODE.protocolError, frame(FRAME.data, 0, 0)],
  ];
  for (const [because, what, code, said] of attacks) {
    it(`lose the connection by ${what}, told as ${because}`, async () => {
      const bystander = caller(weir.grpcPort);
      opened(bystander, bystander.close);
      expect(await bystander.ask(ASKED)).to.match(/^(OK|OVER_LIMIT)$/);
      const attacker = await peer(weir.grpcPort);
      opened(attacker, attacker.close);
      attacker.send(GREETING, said);
      expect(await attacker.farewell()).to.equal(code);
      expect(await ended(weir, because)).to.equal(1);
      expect(await bystander.ask(ASKED)).to.match(/^(OK|OVER_LIMIT)$/);
    });
  }

  it('are refused the 2nd call at work of 1, and one whose message does not come within 2 s', async () => {
    const client = await peer(weir.grpcPort);
    opened(client, client.close);
    client.send(GREETING, headers(1, rpcFields('/grpc.health.v1.Health/Watch'), false));
    client.send(frame(FRAME.data, FLAG.endStream, 1, Buffer.alloc(5)));
    await client.next(FRAME.data, 1);
    client.send(call(3, CHECK, NOTHING));
    expect((await client.answer(3)).fields['grpc-status']).to.equal('8');
    expect(await refused(weir, 'max_running_calls')).to.equal(1);
    client.send(reset(1, CODE.cancel));
    await eventually('the place to be free', async () => {
      const id = 2 * client.heard.length + 5;
      client.send(call(id, CHECK, NOTHING));
      return (await client.answer(id)).fields['grpc-status'] === '0';
    });
    client.send(headers(9_001, rpcFields(CHECK)));
    expect((await client.answer(9_001)).fields['grpc-status']).to.equal('4');
    expect(await refused(weir, 'request_timeout')).to.equal(1);
  });
});

describe('a process that is late on wire', () => {
  const opened = closers();

  it('answers RESOURCE_EXHAUSTED at once to what has waited for more than 500 ms, and decides again then', async () => {
    const weir = await service({ rules: RULES, env: { GRPC_TRANSPORT: 'wire', MAX_LOOP_LAG: '500ms' } });
    opened(weir, weir.close);
    const client = caller(weir.grpcPort);
    opened(client, client.close);
    await eventually('it to be in time', async () => (await client.ask(ASKED)) === 'OK');
    weir.process().signal('SIGSTOP');
    const stoppedMs = performance.now();
    const waiting = Array.from({ length: 20 }, () => client.ask(ASKED));
    await eventually('1.5 s to pass', () => performance.now() - stoppedMs > 1_500);
    weir.process().signal('SIGCONT');
    const answers = await Promise.all(waiting);
    for (const answer of answers) expect(answer).to.match(/^RESOURCE_EXHAUSTED: /);
    await eventually('it to be in time', async () => (await client.ask(ASKED)) === 'OK');
  });
});
