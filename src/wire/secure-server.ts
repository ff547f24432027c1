import { constants, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createServer, DEFAULT_MIN_VERSION, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';

/** Why a connection was not let in, and in words. */
export const REFUSALS = {
  no_certificate: 'it shows no certificate',
  untrusted: 'its certificate is of no authority that clients may have',
  expired: 'its certificate has expired',
  wrong_purpose: 'its certificate is not for clients',
  wrong_name: 'its certificate is for another name',
  no_http2: 'it does not ask for HTTP/2 (h2 by ALPN)',
  no_tls: 'it speaks no TLS',
  distrusts_us: 'it does not trust the certificate of this server',
  handshake: 'the handshake failed',
} as const;

export type TlsRefusal = keyof typeof REFUSALS;

/** Each in PEM form. */
export interface KeyMaterial {
  /** The server's own certificate, with those between it and its authority. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The only authorities whose clients are let in. Without any from the start, clients need no certificate. */
  readonly ca?: Buffer;
}

/** Key material that may change while servers listen. */
export interface KeySource {
  current(): { readonly material: KeyMaterial };
  /** Called with what is in use from then on. */
  listen(listener: (material: KeyMaterial) => void): void;
}

export interface Tls {
  readonly certificates: KeySource;
  /** What clients' certificates must be for: a DNS name or an address; null: anything. */
  readonly clientName: string | null;
  /** Told of each connection that is not let in. `detail`: a code of OpenSSL, or what was shown. */
  readonly onRefused?: (because: TlsRefusal, detail: string, peer: string) => void;
}

const MAX_DETAIL = 200;
/** RFC 9113, section 9.2; `node --tls-min-v1.3` may ask for more. */
const MIN_VERSION = DEFAULT_MIN_VERSION === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2';
/** Codes of what the certificate of a client is found to be, and of what OpenSSL says of a handshake. */
const BECAUSE: readonly (readonly [RegExp, TlsRefusal])[] = [
  [/PEER_DID_NOT_RETURN_A_CERTIFICATE/, 'no_certificate'],
  [/ALERT/, 'distrusts_us'],
  [/^CERT_HAS_EXPIRED$/, 'expired'],
  [/^INVALID_PURPOSE$/, 'wrong_purpose'],
  [/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA)/, 'untrusted'],
  [/NO_APPLICATION_PROTOCOL/, 'no_http2'],
  [/HTTP_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH|UNKNOWN_PROTOCOL/, 'no_tls'],
];

/**
 * Lets in whoever speaks HTTP/2 over TLS and, where there are authorities for clients, shows a certificate of one of
 * them: those of the system count for nothing. New certificates are for new connections; those there are go on.
 */
export function secureServer(
  { certificates, clientName, onRefused }: Tls,
  handshakeTimeoutMs: number,
  admit: (socket: TLSSocket) => void,
): Server {
  const current = certificates.current().material;
  const clientsMustShow = current.ca !== undefined;
  const server = createServer({
    ...contextOf(current),
    noDelay: true,
    ALPNProtocols: ['h2'],
    requestCert: clientsMustShow,
    rejectUnauthorized: clientsMustShow,
    handshakeTimeout: handshakeTimeoutMs,
  });
  certificates.listen((material) => server.setSecureContext(contextOf(material)));

  function refuse(socket: TLSSocket, because: TlsRefusal, detail: string): void {
    onRefused?.(because, detail.slice(0, MAX_DETAIL), socket.remoteAddress ?? 'unknown');
    socket.destroy();
  }

  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy());
    if (socket.alpnProtocol !== 'h2') {
      refuse(socket, 'no_http2', 'no ALPN');
      return;
    }
    const shown = clientName === null ? undefined : socket.getPeerX509Certificate();
    if (clientName !== null && (shown === undefined || !isFor(shown, clientName))) {
      refuse(socket, 'wrong_name', shown?.subjectAltName ?? 'no name');
      return;
    }
    admit(socket);
  });

  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const code = String(socket.authorizationError || error.code);
    // Whoever only looks whether the port is open, as probes do, hangs up as well.
    if (code === 'ECONNRESET') socket.destroy();
    else refuse(socket, BECAUSE.find(([pattern]) => pattern.test(code))?.[1] ?? 'handshake', code);
  });
  return server;
}

/** No session is resumed: each connection shows its certificate, and it is looked at by the authorities of that time. */
function contextOf(material: KeyMaterial): SecureContextOptions {
  // Without a list Node would trust the authorities of the system.
  return { ca: [], ...material, minVersion: MIN_VERSION, secureOptions: constants.SSL_OP_NO_TICKET };
}

/** Wildcards stand for one label, the case is all one, and the subject counts for nothing. */
function isFor(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}
