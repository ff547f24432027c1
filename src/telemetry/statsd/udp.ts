import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { Wire } from './sink.ts';

/** What an Ethernet frame carries without being cut. */
const PACKET_BYTES = 1_432;
const LOOKUP_TIMEOUT_MS = 1_500;

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
}

/** Packets; that nobody listens is learned, if at all, from the packet after the one that was lost. */
export function udpWire({ host, port }: UdpOptions): Wire {
  let socket: Socket | null = null;
  let connectedTo = '';

  /** The name is looked up for each flush, so that a receiver that moved is followed. */
  async function open(): Promise<Error | null> {
    try {
      const { address, family } = await timely(lookup(host, { order: 'ipv4first' }));
      if (socket !== null && connectedTo === address) return null;
      socket?.close();
      socket = await connected(family === 6 ? 'udp6' : 'udp4', address);
      connectedTo = address;
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  function connected(type: 'udp4' | 'udp6', address: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const made = createSocket(type);
      made.unref();
      // A refusal that comes between two flushes; the next send has one to tell if it lasts.
      made.on('error', reject);
      made.connect(port, address, () => resolve(made));
    });
  }

  return {
    maxBytes: PACKET_BYTES,
    open,
    send(text) {
      const to = socket;
      if (to === null) return Promise.resolve(new Error('not open'));
      return new Promise((resolve) => to.send(text, (error) => resolve(error)));
    },
    async close() {
      socket?.close();
      socket = null;
    },
  };
}

/** The system's resolver may take half a minute. */
async function timely<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the name was not found in time')), LOOKUP_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
