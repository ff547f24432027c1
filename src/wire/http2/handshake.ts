import type { Connection } from './connection.ts';
import { FRAME, PREFACE, protocolError } from './frame.ts';
import { DEFAULT_WINDOW, SETTING } from './settings.ts';

const HTTP_1 = /^[A-Z]+ \S+ HTTP\/1\.\d\r?\n/;
const MOST_REQUEST_LINE = 8_192;
const NOT_HTTP_2 = 'This port speaks HTTP/2 only.\n';
const VERSION_NOT_SUPPORTED =
  'HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-type: text/plain\r\n' +
  `content-length: ${NOT_HTTP_2.length}\r\n\r\n${NOT_HTTP_2}`;

/** How a connection begins: the preface of the peer, and our SETTINGS. */
export class Handshake {
  private readonly connection: Connection;
  private bytes = 0;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The preface is whole. */
  get done(): boolean {
    return this.bytes === PREFACE.length;
  }

  /** Section 3.4. Where the preface ends in the chunk; nothing of ours is sent before the peer has spoken. */
  read(chunk: Buffer): number {
    let at = 0;
    for (; at < chunk.length && this.bytes < PREFACE.length; at++) {
      if (chunk[at] === PREFACE[this.bytes]) {
        this.bytes++;
        continue;
      }
      if (this.bytes <= 4 && HTTP_1.test(chunk.toString('latin1', 0, MOST_REQUEST_LINE))) {
        this.connection.socket.write(VERSION_NOT_SUPPORTED);
      }
      throw protocolError('no preface of HTTP/2');
    }
    if (this.done) this.greet();
    return at;
  }

  private greet(): void {
    const { bounds, sender } = this.connection;
    const { out } = sender;
    const settings = [
      [SETTING.maxConcurrentStreams, bounds.maxConcurrentStreams],
      [SETTING.initialWindowSize, bounds.streamWindowBytes],
      [SETTING.maxHeaderListSize, bounds.maxHeaderListBytes],
    ] as const;
    out.header(settings.length * 6, FRAME.settings, 0, 0);
    for (const [id, value] of settings) {
      out.uint16(id);
      out.uint32(value);
    }
    const more = bounds.connectionWindowBytes - DEFAULT_WINDOW;
    if (more > 0) sender.windowUpdate(0, more);
    this.connection.flushSoon();
  }
}
