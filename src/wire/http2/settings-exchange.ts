import type { Connection } from './connection.ts';
import { CODE, ConnectionError, FLAG, FRAME, frameSizeError, MAX_FRAME_BYTES, protocolError } from './frame.ts';
import { SETTINGS_COST } from './guards.ts';
import { DEFAULT_WINDOW, defaultSettings, MAX_WINDOW, readSettings } from './settings.ts';

/** What the peer has told by SETTINGS, and whether it goes by ours (RFC 9113, section 6.5). */
export class SettingsExchange {
  /** Its first SETTINGS have come; ours have been acknowledged. */
  seen = false;
  acked = false;
  /** What the peer may send on a new stream; until it has acknowledged our SETTINGS it goes by the default. */
  receiveWindow: number;
  private readonly connection: Connection;
  private readonly peer = defaultSettings();

  constructor(connection: Connection) {
    this.connection = connection;
    this.receiveWindow = Math.max(DEFAULT_WINDOW, connection.bounds.streamWindowBytes);
  }

  /** What we may send on a new stream. */
  get sendWindow(): number {
    return this.peer.initialWindowSize;
  }

  frame(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    if (id !== 0) throw protocolError('SETTINGS on a stream');
    if (flags & FLAG.ack) {
      if (end > start) throw frameSizeError('SETTINGS');
      if (!this.seen) throw protocolError('the first frame is not SETTINGS');
      if (this.acked) connection.guards.controlFrame(1, connection.readMs);
      else this.acknowledged();
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError('SETTINGS');
    if (this.seen) connection.guards.controlFrame(SETTINGS_COST, connection.readMs);
    this.seen = true;
    const { peer } = this;
    const { sender } = connection;
    const before = peer.initialWindowSize;
    peer.tableShrank = false;
    readSettings(bytes, start, end, peer);
    if (peer.tableShrank) sender.tableToEmpty = true;
    sender.maxFrameBytes = Math.min(peer.maxFrameSize, MAX_FRAME_BYTES);
    sender.out.header(0, FRAME.settings, FLAG.ack, 0);
    connection.flushSoon();
    if (peer.initialWindowSize !== before) this.moveWindows(peer.initialWindowSize - before);
  }

  /** Section 6.9.2: windows may become negative, and must not become too large. */
  private moveWindows(change: number): void {
    const { sender, streams } = this.connection;
    for (const stream of [...streams.values()]) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionError(CODE.flowControlError, 'a window above 2^31-1');
      if (change > 0) sender.streamMayGo(stream);
    }
  }

  /** From here on the peer goes by our settings. */
  private acknowledged(): void {
    this.acked = true;
    const less = this.receiveWindow - this.connection.bounds.streamWindowBytes;
    if (less === 0) return;
    this.receiveWindow -= less;
    for (const stream of this.connection.streams.values()) stream.receiveWindow -= less;
  }
}
