import { createServer } from 'node:net';

// Below the range the kernel gives to outgoing connections (32768 and up), so that no client takes a port between the
// moment it was found free and the moment the server binds it.
const LOWEST = 12_000;
const HIGHEST = 31_999;
/** What a node of a Redis cluster adds to its port for the other nodes. */
const BUS = 10_000;

const nextPort = portsInTurn(HIGHEST, isFree);
const nextClusterPort = portsInTurn(HIGHEST - BUS, async (port) => (await isFree(port)) && (await isFree(port + BUS)));

/** A TCP port of 127.0.0.1 that nobody listens on. Never the same one twice until the range has been gone through. */
export function freePort(): Promise<number> {
  return nextPort();
}

/** As `freePort`, and nobody listens on the port of its cluster bus either. */
export function freeClusterPort(): Promise<number> {
  return nextClusterPort();
}

function portsInTurn(highest: number, serves: (port: number) => Promise<boolean>): () => Promise<number> {
  let last = LOWEST + Math.floor(Math.random() * (highest - LOWEST));
  return async () => {
    for (let tries = LOWEST; tries <= highest; tries++) {
      last = last >= highest ? LOWEST : last + 1;
      const port = last;
      if (await serves(port)) return port;
    }
    throw new Error(`no free port between ${LOWEST} and ${highest}`);
  };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}
