import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What becomes of one piece of an answer on its way back; `hand` passes bytes on. */
export type Fault = (piece: Buffer, way: Way) => void;

export interface Way {
  hand(bytes: Buffer | string): void;
  /** Cuts both sides with a reset. */
  reset(): void;
}

/** Stands between a client and a server of 127.0.0.1 and does to answers what networks do. */
export interface FaultProxy {
  readonly port: number;
  /** For answers from now on; null: they pass. */
  fault: Fault | null;
  /** For questions from now on: after so many bytes of the next one both sides are cut. */
  cutAfterBytes: number | null;
  close(): Promise<void>;
}

export async function faultProxy(serverPort: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const proxy: { fault: Fault | null; cutAfterBytes: number | null } = { fault: null, cutAfterBytes: null };

  const listener = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    const reset = (): void => {
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (piece) => {
      const most = proxy.cutAfterBytes;
      if (most === null) {
        server.write(piece);
        return;
      }
      proxy.cutAfterBytes = null;
      server.write(piece.subarray(0, most), reset);
    });
    server.on('data', (piece) => {
      const way: Way = { hand: (bytes) => void (client.destroyed || client.write(bytes)), reset };
      if (proxy.fault === null) way.hand(piece);
      else proxy.fault(piece, way);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, {
    port: (listener.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => listener.close(closed));
    },
  });
}

/** Whole, and so many milliseconds later. */
export function late(ms: number, then: Fault = (piece, { hand }) => hand(piece)): Fault {
  return (piece, way) => void setTimeout(() => then(piece, way), ms);
}

/** A byte at a time, each in a turn of its own. */
export function slowly(piece: Buffer, { hand }: Way): void {
  piece.forEach((_, i) => {
    setTimeout(() => hand(piece.subarray(i, i + 1)), i);
  });
}
