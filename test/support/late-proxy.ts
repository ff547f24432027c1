import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server of 127.0.0.1; what the server says, its goodbye too, arrives later. */
export interface LateProxy {
  readonly port: number;
  close(): Promise<void>;
}

export async function lateProxy(serverPort: number, lateMs: number): Promise<LateProxy> {
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: serverPort, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (piece) => server.write(piece));
    client.on('close', () => server.destroy());
    server.on('data', (piece) => setTimeout(() => client.write(piece), lateMs));
    server.on('close', () => setTimeout(() => client.end(), lateMs));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => listener.close(closed));
    },
  };
}
