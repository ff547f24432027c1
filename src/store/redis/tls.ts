import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { reread } from './reread.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** Authorities to trust, in place of those of the system. */
  readonly ca?: string | undefined;
  /** For a server that asks who we are; both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The certificate may be another host's; its chain is verified all the same. */
  readonly skipHostname?: boolean | undefined;
}

/** Options of tls.connect, the files read anew at each call. Throws an Error with a sentence when they don't serve. */
export function tlsInFiles({ ca, cert, key, skipHostname }: TlsFiles): () => ConnectionOptions {
  if ((cert === undefined) !== (key === undefined)) {
    throw new Error('a TLS client certificate for Redis needs its key, and a key its certificate');
  }
  const files = [ca, cert, key].filter((path) => path !== undefined);
  if (files.length === 0) return () => named(skipHostname);
  return reread(`TLS for Redis from ${files.join(', ')}`, () => {
    const read = {
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
    };
    // Half a file, or a key that does not belong, must not become the files to dial with.
    createSecureContext(read);
    return { ...read, ...named(skipHostname) };
  });
}

function named(skipHostname: boolean | undefined): ConnectionOptions {
  return skipHostname ? { checkServerIdentity: () => undefined } : {};
}
