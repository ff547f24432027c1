import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Names the request in the access log. */
  readonly id: string;
}

export interface Get {
  readonly agent: Agent;
  readonly port: number;
  readonly path: string;
  /** A character of a value is one byte on the wire: '\xff' is the byte 255. */
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
}

export function get(what: Get): Promise<Answer> {
  const { id } = what;
  return new Promise((done, fail) => {
    const outgoing = request(optionsOf(what), (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body, id }));
      response.once('error', fail);
    });
    outgoing.once('error', fail);
    outgoing.end();
  });
}

/** Begins a request, and hangs up when the function that it returns is called. */
export function begin(what: Get): () => void {
  const outgoing = request(optionsOf(what));
  outgoing.once('error', () => {});
  outgoing.end();
  return () => outgoing.destroy();
}

function optionsOf({ agent, port, path, headers, id }: Get) {
  return { host: '127.0.0.1', port, path, headers: { ...headers, 'x-test-id': id }, agent };
}

/** Sends a line and tells whether something came back, or the connection was closed without a byte. */
export function echo(port: number): Promise<'echoed' | 'closed'> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1');
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
      socket.end();
    });
    socket.once('connect', () => socket.write('ping\n'));
    // A connection closed before our line was read ends in a reset.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') fail(error);
    });
    socket.once('close', () => done(got > 0 ? 'echoed' : 'closed'));
  });
}
