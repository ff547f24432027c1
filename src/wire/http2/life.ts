import type { Connection } from './connection.ts';
import { CODE, ConnectionError, FRAME, passed } from './frame.ts';

/** How long a peer has to close its side once we have closed ours. */
const LINGER_MS = 1_000;
/** A peer that does not answer the PING of a drain has seen its GOAWAY by then; one that is silent has no call to lose. */
export const DRAIN_STEP_MS = 1_000;
const KEEPALIVE_PING = Buffer.from('areyouon', 'latin1');

/** Everything about a connection that depends on the time. The server calls `tick` about ten times a second. */
export class Life {
  /** When it was so; 0: it is not. */
  backedUpMs = 0;
  drainingSinceMs = 0;
  endedMs = 0;
  pingedMs = 0;
  idleSinceMs: number;
  /** It is told to go when its next call comes. */
  old = false;
  private readonly connection: Connection;
  private readonly bornMs: number;
  private readonly maxAgeMs: number;
  private cutMs = Number.POSITIVE_INFINITY;

  constructor(connection: Connection) {
    const { maxAgeMs } = connection.bounds;
    this.connection = connection;
    this.bornMs = connection.nowMs();
    this.idleSinceMs = this.bornMs;
    this.maxAgeMs = maxAgeMs === 0 ? Number.POSITIVE_INFINITY : maxAgeMs * (0.9 + Math.random() * 0.2);
  }

  tick(nowMs: number): void {
    const { connection } = this;
    if (this.endedMs > 0) {
      const { socket, bounds } = connection;
      // The last answers may still be on their way to a peer that takes them slowly.
      const mostMs = socket.writableLength > 0 ? Math.max(LINGER_MS, bounds.stallTimeoutMs) : LINGER_MS;
      if (nowMs - this.endedMs >= mostMs) socket.destroy();
      return;
    }
    if (nowMs >= this.cutMs) {
      connection.cut(passed('max_connection_age_grace', 'its calls outlived the grace of its age'));
      return;
    }
    if (this.stalled(nowMs)) {
      connection.cut(passed('stall_timeout', 'nothing that was sent was taken in time'));
      return;
    }
    const late = this.handshakeProblem(nowMs);
    if (late !== null) {
      connection.fail(late);
      return;
    }
    if (connection.streams.size > 0) this.tickStreams(nowMs);
    if (connection.ended) return;
    this.leave(nowMs);
    this.keepAlive(nowMs);
  }

  /** The socket takes nothing: what waits in it would wait for ever. */
  private stalled(nowMs: number): boolean {
    const { backedUp, bounds } = this.connection;
    return backedUp && bounds.stallTimeoutMs > 0 && nowMs - this.backedUpMs >= bounds.stallTimeoutMs;
  }

  private handshakeProblem(nowMs: number): Error | null {
    const { connection, bornMs } = this;
    const { handshakeTimeoutMs: mostMs } = connection.bounds;
    if (mostMs === 0) return null;
    if (!connection.prefaced) {
      if (nowMs - bornMs < mostMs) return null;
      return new ConnectionError(CODE.protocolError, 'no preface in time', 'handshake_timeout');
    }
    if (!connection.settled && nowMs - bornMs >= mostMs) {
      return new ConnectionError(
        CODE.settingsTimeout,
        'our SETTINGS were not acknowledged in time',
        'handshake_timeout',
      );
    }
    const { blockSinceMs } = connection;
    if (blockSinceMs > 0 && nowMs - blockSinceMs >= mostMs) {
      return passed('handshake_timeout', 'a block of headers did not end in time');
    }
    return null;
  }

  private tickStreams(nowMs: number): void {
    const { connection } = this;
    const { stallTimeoutMs } = connection.bounds;
    for (const stream of connection.streams.values()) {
      if (stream.queue !== null && stallTimeoutMs > 0 && nowMs - stream.movedMs >= stallTimeoutMs) {
        // A window that stays shut keeps our memory, and its owner knows how to open it.
        connection.fail(passed('stall_timeout', 'a window did not open in time'));
        return;
      }
      stream.events.tick(nowMs);
    }
  }

  private leave(nowMs: number): void {
    const { connection } = this;
    const { idleTimeoutMs } = connection.bounds;
    if (this.drainingSinceMs > 0) {
      if (nowMs - this.drainingSinceMs >= DRAIN_STEP_MS) connection.drainEnds();
      return;
    }
    this.old = nowMs - this.bornMs >= this.maxAgeMs;
    if (connection.streams.size > 0) {
      if (this.old) this.tooOld(nowMs);
    } else if (idleTimeoutMs > 0 && nowMs - this.idleSinceMs >= idleTimeoutMs) connection.drain();
  }

  /** Some clients fail what they were about to send when they are told to go with nothing open, so a call is there. */
  tooOld(nowMs: number): void {
    const { bounds, prefaced } = this.connection;
    this.old = false;
    if (!prefaced || this.drainingSinceMs > 0) return;
    if (bounds.maxAgeGraceMs > 0) this.cutMs = nowMs + bounds.maxAgeGraceMs;
    this.connection.drain();
  }

  private keepAlive(nowMs: number): void {
    const { connection } = this;
    const { keepaliveTimeMs, keepaliveTimeoutMs } = connection.bounds;
    if (keepaliveTimeMs === 0 || !connection.prefaced) return;
    if (this.pingedMs > 0) {
      if (nowMs - this.pingedMs < keepaliveTimeoutMs) return;
      connection.cut(passed('keepalive_timeout', 'a PING was not answered in time'));
      return;
    }
    if (nowMs - connection.readMs < keepaliveTimeMs || connection.backedUp) return;
    this.pingedMs = nowMs;
    connection.sender.out.header(8, FRAME.ping, 0, 0);
    connection.sender.out.raw(KEEPALIVE_PING, 0, 8);
    connection.flushSoon();
  }
}
