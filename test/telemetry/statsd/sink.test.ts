import { createSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Stat } from '../../../src/telemetry/stats.ts';
import { statsdLine } from '../../../src/telemetry/statsd/lines.ts';
import { type Sink, statsdSink, type Wire } from '../../../src/telemetry/statsd/sink.ts';
import { tcpWire } from '../../../src/telemetry/statsd/tcp.ts';
import { udpWire } from '../../../src/telemetry/statsd/udp.ts';
import { eventually, PATIENCE_MS } from '../../support/eventually.ts';
import { freePort } from '../../support/port.ts';

const HOST = '127.0.0.1';
const NEVER_MS = 3_600_000;

interface Told {
  readonly kind: string;
  readonly data: object;
}

function sinkOn(wire: Wire, counters: Record<string, number>, flushMs = 20): { sink: Sink; told: Told[] } {
  const told: Told[] = [];
  const sink = statsdSink({
    name: 'statsd',
    address: 'somewhere:1',
    wire,
    line: statsdLine({}),
    stats: () => Object.entries(counters).map(([name, value]): Stat => ({ kind: 'counter', name, value })),
    flushMs,
    trouble: (kind, _message, data) => told.push({ kind, data }),
  });
  return { sink, told };
}

/** A receiver that adds up what it is told. */
async function receiver(port: number, onConnection: (socket: Socket) => void = () => {}) {
  const counted: Record<string, number> = {};
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const [name = '', value] = line.split(/[:|]/);
        counted[name] = (counted[name] ?? 0) + Number(value);
      }
    });
    onConnection(socket);
  });
  await new Promise<void>((done) => server.listen(port, HOST, done));
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  };
  return { counted, sockets, close };
}

describe('a sink over TCP', () => {
  const quick = (port: number) => tcpWire({ host: HOST, port, random: () => 0 });

  it('keeps the numbers of a receiver that is away, and tells them all when it is there', async () => {
    const port = await freePort();
    const counters = { a: 3 };
    const { sink, told } = sinkOn(quick(port), counters);
    await sink.start();
    await eventually('a complaint', () => told.length > 0);
    expect(told[0]).to.deep.include({ kind: 'statsd away' });
    counters.a = 10;
    const there = await receiver(port);
    await eventually('10 to arrive', () => there.counted.a === 10);
    counters.a = 12;
    await eventually('2 more to arrive', () => there.counted.a === 12);
    expect(sink.numbers).to.include({ lost: 0 });
    await sink.stop();
    await there.close();
  });

  it('tells what is left at the end, to a receiver it has not met before too', async () => {
    const port = await freePort();
    const there = await receiver(port);
    const { sink } = sinkOn(quick(port), { a: 5 }, NEVER_MS);
    await sink.start();
    await Promise.all([sink.stop(), sink.stop()]);
    await eventually('5 to arrive', () => there.counted.a === 5);
    await there.close();
  });

  it('ends in time without a receiver, and before it began', async () => {
    const { sink, told } = sinkOn(quick(await freePort()), { a: 5 }, NEVER_MS);
    await sink.start();
    await sink.stop();
    expect(told.map(({ kind }) => kind)).to.deep.equal(['statsd away']);
    await sinkOn(quick(1), {}).sink.stop();
  });

  it('waits 5 seconds for a receiver that reads nothing, with one chunk of 64 KiB, and leaves it', async () => {
    const port = await freePort();
    const there = await receiver(port, (socket) => socket.pause());
    // 20 MB, in few lines.
    const name = 'long.name.'.repeat(100);
    const counters = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${name}${i}`, 1] as const));
    const { sink, told } = sinkOn(quick(port), counters, 10);
    await sink.start();
    // The buffers of the system take some; then it stands still.
    const left = () => told.find(({ kind }) => kind === 'statsd lost');
    const lost = await eventually('the sink to leave it', left, 2 * PATIENCE_MS);
    expect(lost.data).to.include({ cause: 'the receiver takes nothing' });
    expect(sink.numbers.sent).to.be.lessThan(20_000);
    // Else the sink, which has dialled again, waits for it at the end too.
    await there.close();
    await sink.stop();
  });

  it('goes on with another connection after a reset, and counts what was on its way', async () => {
    const port = await freePort();
    const there = await receiver(port);
    const counters = { a: 1 };
    const { sink } = sinkOn(quick(port), counters);
    await sink.start();
    await eventually('1 to arrive', () => there.counted.a === 1);
    for (const socket of there.sockets) socket.resetAndDestroy();
    await eventually('a second connection', () => {
      counters.a++;
      return there.sockets.size === 2;
    });
    await eventually('the increments after it', () => (there.counted.a ?? 0) + sink.numbers.lost >= 2);
    await sink.stop();
    await there.close();
  });
});

describe('a sink', () => {
  it('counts the lines of a chunk that was lost, tells so, and keeps the rest', async () => {
    const sent: string[] = [];
    let broken: Error | null = new Error('broken');
    const wire: Wire = {
      maxBytes: 10,
      open: async () => null,
      async send(text) {
        if (broken !== null) return broken;
        sent.push(text);
        return null;
      },
      close: async () => {},
    };
    const { sink, told } = sinkOn(wire, { a: 1, b: 2, c: 3 });
    await sink.start();
    await eventually('a loss', () => sink.numbers.lost > 0);
    broken = null;
    await eventually('the rest', () => sent.length > 0);
    await sink.stop();
    // Two lines of 6 bytes don't fit into 10.
    expect(sent.join('')).to.equal(
      'abc'.slice(sink.numbers.lost).replace(/./g, (it) => `${it}:${' abc'.indexOf(it)}|c\n`),
    );
    expect(told[0]).to.deep.equal({ kind: 'statsd lost', data: { lines: 1, lostSoFar: 1, cause: 'broken' } });
  });
});

describe('a sink over UDP', () => {
  it('sends packets of at most 1,432 bytes', async () => {
    const port = await freePort();
    const packets: string[] = [];
    const socket = createSocket('udp4', (message) => packets.push(String(message)));
    await new Promise<void>((done) => socket.bind(port, HOST, done));
    const counters = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`name.${'x'.repeat(50)}.${i}`, i + 1]));
    const { sink } = sinkOn(udpWire({ host: 'localhost', port }), counters);
    await sink.start();
    await eventually('100 lines', () => packets.join('').split('\n').length === 101);
    expect(Math.max(...packets.map((packet) => packet.length))).to.be.within(1_000, 1_432);
    expect(packets.join('')).to.include(`name.${'x'.repeat(50)}.99:100|c\n`);
    await sink.stop();
    socket.close();
  });

  it('goes on when nobody listens, and when the name is not known', async () => {
    const { sink } = sinkOn(udpWire({ host: HOST, port: await freePort() }), { a: 1 });
    await sink.start();
    await eventually('a line', () => sink.numbers.sent + sink.numbers.lost > 0);
    await sink.stop();
    const lost = sinkOn(udpWire({ host: 'no-such-host.invalid', port: 1 }), { a: 1 });
    await lost.sink.start();
    await eventually('a complaint', () => lost.told.some(({ kind }) => kind === 'statsd away'));
    await lost.sink.stop();
  });
});
