import { Decoder, type Fields, HpackError } from '../hpack/decoder.ts';
import { equal } from '../hpack/path-cache.ts';
import type { Bounds } from './bounds.ts';
import { CODE, ConnectionError, passed } from './frame.ts';
import { type Head, readHead } from './head.ts';
import { DEFAULT_TABLE_BYTES } from './settings.ts';

/** Beyond so many times the bound a list is an attack and no mistake. */
const BOMB = 16;
/** A block may be so many times the bound of its list: Huffman codes of rare bytes are longer than the bytes. */
const RAW = 4;
/** A longer block is not remembered. */
const MOST_REMEMBERED_BYTES = 512;

/** Header blocks of a connection, put together from their frames, and read in the order of the wire. */
export class HeaderBlocks {
  /** Of the block that is not whole yet, or 0. */
  streamId = 0;
  flags = 0;
  /** Since when it is not whole. */
  sinceMs = 0;
  private parts: Buffer[] = [];
  private bytes = 0;
  private readonly decoder: Decoder;
  private readonly bounds: Bounds;
  private lastBlock: Buffer | null = null;
  private lastVersion = -1;
  private lastHead: Head | null = null;

  constructor(bounds: Bounds) {
    this.bounds = bounds;
    this.decoder = new Decoder({ maxTableBytes: DEFAULT_TABLE_BYTES, maxListBytes: bounds.maxHeaderListBytes });
  }

  begin(streamId: number, flags: number, bytes: Buffer, start: number, end: number, nowMs: number): void {
    this.streamId = streamId;
    this.flags = flags;
    this.sinceMs = nowMs;
    this.bytes = 0;
    this.add(bytes, start, end);
  }

  /** CVE-2024-27316 is a block that never ends. */
  add(bytes: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    const { maxContinuations, maxHeaderListBytes } = this.bounds;
    if (this.parts.length > maxContinuations) {
      throw passed('max_continuations', `more than ${maxContinuations} CONTINUATION frames`);
    }
    if (this.bytes > maxHeaderListBytes * RAW) {
      throw passed('max_header_list_bytes', `a header block of more than ${maxHeaderListBytes * RAW} bytes`);
    }
    this.parts.push(Buffer.from(bytes.subarray(start, end)));
  }

  whole(): Buffer {
    const block = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    this.parts = [];
    this.streamId = 0;
    return block;
  }

  /**
   * The head of a request; a string says why there is none, null that the list was too long. A block that is byte for
   * byte the last one, while the table is the same, is the same head: so are the calls of one Envoy.
   */
  head(bytes: Buffer, start: number, end: number): Head | string | null {
    const { table } = this.decoder;
    if (this.lastVersion === table.version && equal(this.lastBlock!, bytes, start, end)) return this.lastHead;
    const { version } = table;
    const fields = this.fields(bytes, start, end);
    if (fields === null) return null;
    const head = readHead(fields, this.decoder.listBytes);
    if (typeof head === 'string') return head;
    if (table.version === version && end - start <= MOST_REMEMBERED_BYTES) {
      this.lastBlock = Buffer.from(bytes.subarray(start, end));
      this.lastVersion = version;
      this.lastHead = head;
    }
    return head;
  }

  /** Null: the list was too long. Every block is read, also of streams that are refused: the table is of all. */
  fields(bytes: Buffer, start: number, end: number): Fields | null {
    let fields: Fields;
    try {
      fields = this.decoder.decode(bytes, start, end);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      throw new ConnectionError(CODE.compressionError, `HPACK: ${error.message}`);
    }
    const { listBytes } = this.decoder;
    const most = this.bounds.maxHeaderListBytes;
    if (listBytes > most * BOMB) throw passed('max_header_list_bytes', `a header list of ${listBytes} bytes`);
    return listBytes > most ? null : fields;
  }
}
