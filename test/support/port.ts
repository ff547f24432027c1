import { createServer } from 'node:net';

// Below the range the kernel gives to outgoing connections (32768 and up), so that no client takes a port between the
// moment it was found free and the moment the server binds it.
const LOWEST = 12_000;
const HIGHEST = 31_999;

let last = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));

/** A TCP port of 127.0.0.1 that nobody listens on. Never the same one twice until the range has been gone through. */
export async function freePort(): Promise<number> {
  for (let tries = LOWEST; tries <= HIGHEST; tries++) {
    last = last >= HIGHEST ? LOWEST : last + 1;
    const port = last;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}
