import { CODE, ConnectionError, MAX_FRAME_BYTES } from './frame.ts';

/** RFC 9113, section 6.5.2. */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const DEFAULT_WINDOW = 65_535;
export const DEFAULT_TABLE_BYTES = 4_096;
export const MAX_WINDOW = 0x7fff_ffff;
const LARGEST_FRAME = 0xff_ffff;

/** What the peer has told, as far as it concerns us. */
export interface PeerSettings {
  headerTableSize: number;
  /** Whether it was made smaller, though it may have grown again since (RFC 7541, section 4.2). */
  tableShrank: boolean;
  initialWindowSize: number;
  maxFrameSize: number;
}

export function defaultSettings(): PeerSettings {
  return {
    headerTableSize: DEFAULT_TABLE_BYTES,
    tableShrank: false,
    initialWindowSize: DEFAULT_WINDOW,
    maxFrameSize: MAX_FRAME_BYTES,
  };
}

/** Reads the payload of a SETTINGS frame into `settings`. Throws ConnectionError for a value that may not be. */
export function readSettings(bytes: Uint8Array, start: number, end: number, settings: PeerSettings): void {
  for (let at = start; at < end; at += 6) {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const value = bytes[at + 2]! * 0x100_0000 + ((bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!);
    switch (id) {
      case SETTING.headerTableSize:
        if (value < settings.headerTableSize) settings.tableShrank = true;
        settings.headerTableSize = value;
        break;
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionError(CODE.protocolError, `SETTINGS_ENABLE_PUSH of ${value}`);
        break;
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW) throw new ConnectionError(CODE.flowControlError, `an initial window of ${value}`);
        settings.initialWindowSize = value;
        break;
      case SETTING.maxFrameSize:
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME) {
          throw new ConnectionError(CODE.protocolError, `SETTINGS_MAX_FRAME_SIZE of ${value}`);
        }
        settings.maxFrameSize = value;
        break;
      default:
      // Section 6.5.2: the others, unknown ones among them, are nothing to us.
    }
  }
}
