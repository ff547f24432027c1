import { readFileSync } from 'node:fs';
import type { KeyMaterial, Tls, TlsRefusal } from '../../src/wire/secure-server.ts';
import type { Signed } from './certificates.ts';

/** TLS for a server of the tests, with what the server tells of it. */
export interface OwnTls extends Tls {
  /** For connections from now on. */
  replace(signed: Signed, clientCa?: string): void;
  /** Why connections were not let in, in order. */
  readonly refusals: readonly TlsRefusal[];
}

export interface OwnTlsOptions {
  /** Path of the authority whose clients are let in. Absent: clients need no certificate. */
  readonly clientCa?: string;
  readonly clientName?: string;
}

export function ownTls(signed: Signed, { clientCa, clientName }: OwnTlsOptions = {}): OwnTls {
  const listeners: ((material: KeyMaterial) => void)[] = [];
  const refusals: TlsRefusal[] = [];
  let material = materialOf(signed, clientCa);
  return {
    certificates: { current: () => ({ material }), listen: (listener) => void listeners.push(listener) },
    clientName: clientName ?? null,
    onRefused: (because) => void refusals.push(because),
    replace(next, ca) {
      material = materialOf(next, ca);
      for (const listener of listeners) listener(material);
    },
    refusals,
  };
}

function materialOf({ cert, key }: Signed, ca: string | undefined): KeyMaterial {
  return { cert: readFileSync(cert), key: readFileSync(key), ...(ca === undefined ? {} : { ca: readFileSync(ca) }) };
}
