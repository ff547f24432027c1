import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A sentinel of the tests that tells each connection for good what it told it first. */
export interface ForgetfulSentinel {
  readonly port: number;
  /** Where it says that the master is, on 127.0.0.1, to those who connect from now on. */
  masterPort: number;
  close(): Promise<void>;
}

export async function forgetfulSentinel(masterPort: number): Promise<ForgetfulSentinel> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const said = String(made.masterPort);
    const answers: Readonly<Record<string, string>> = {
      hello: '%1\r\n+proto\r\n:3\r\n',
      client: '+OK\r\n',
      sentinels: '*0\r\n',
      'get-master-addr-by-name': `*2\r\n$9\r\n127.0.0.1\r\n$${said.length}\r\n${said}\r\n`,
    };
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (const [word] of String(data).matchAll(/\b(hello|client|sentinels|get-master-addr-by-name)\b/gi)) {
        socket.write(answers[word.toLowerCase()]!);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const made = {
    port: (server.address() as AddressInfo).port,
    masterPort,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return made;
}
