import type { ProbeError } from '../../store/redis/probe.ts';
import type { RedisTarget } from '../../store/redis/target.ts';
import { type Finding, fail } from '../finding.ts';
import type { Bare } from './reach.ts';
import type { SetBy } from './set-by.ts';

/** What it takes to put a failed dial into words. */
export interface Dialled {
  readonly room: string;
  /** `Redis at 127.0.0.1:6379`, no password in it. */
  readonly who: string;
  readonly target: RedisTarget;
  /** TLS was tried. */
  readonly tls: boolean;
  readonly by: SetBy;
  /** What gives its user all rights that counting takes. */
  readonly aclLine: string;
  readonly connectTimeoutMs: number;
  readonly bare: Bare;
}

/** A short name, the end of the sentence, and what to do. */
type Words = readonly [name: string, says: string, todo: string];

/** Why nothing could be asked, one sentence for each cause. */
export function unreachable(error: ProbeError, dialled: Dialled): Finding {
  const { greeting } = dialled.bare;
  const refusal = error.refusal ? error.message : greeting.startsWith('-') ? greeting.slice(1).trimEnd() : null;
  const [name, says, todo] = refusal === null ? unheard(error, dialled) : refused(refusal, dialled);
  return fail(`${dialled.room}.${name}`, `${dialled.who} ${says}`, todo);
}

/** By what Redis said. */
function refused(text: string, dialled: Dialled): Words {
  const { target, by } = dialled;
  const word = /^(\w*)/.exec(text)?.[1] ?? '';
  switch (word) {
    case 'NOAUTH':
      return ['noauth', 'wants a password, and none is set', `write password or user:password into ${by.login}`];
    case 'WRONGPASS':
      return [
        'wrongpass',
        `refuses the ${target.username === undefined ? 'password' : `user ${target.username} with this password`}`,
        `mend ${by.login} (password, or user:password); ask ACL LIST whether the user is on`,
      ];
    case 'DENIED':
      return [
        'denied',
        'is in protected mode: it takes callers of its own host only',
        'give Redis a password or a bind',
      ];
    case 'NOPERM':
      // All else that a login takes needs no right.
      return [
        'noperm',
        `lets this user log in, but not select database ${target.db}`,
        `tell Redis: ${dialled.aclLine}`,
      ];
    default:
  }
  if (text.includes('max number of clients')) {
    return ['full', 'takes no further connection', 'raise its maxclients, or find who holds the connections'];
  }
  if (/DB index|invalid DB/i.test(text)) {
    return ['db', `has no database ${target.db}`, `mend ${by.database}; a Redis has 16 unless told otherwise`];
  }
  return ['refused-login', `answered the login with: ${masked(text, target)}`, 'see the log of Redis'];
}

/** An old Redis repeats the beginning of a command that it does not know, and so the password. */
function masked(text: string, { password }: RedisTarget): string {
  const head = text.split(/,? with args/)[0]!.slice(0, 200);
  return password ? head.replaceAll(password, '*****') : head;
}

type ByCode = Readonly<Record<string, Words>>;

function inNetwork({ address }: SetBy): ByCode {
  const url = `mend ${address} (host:port, or the path of the socket)`;
  return {
    ENOTFOUND: ['dns', 'has a host name that does not resolve', `mend the host in ${address}, or the DNS of this host`],
    EAI_AGAIN: NO_DNS,
    ECONNREFUSED: ['refused', 'is not there: nobody listens', `start Redis, or mend host and port in ${address}`],
    ENOENT: ['socket', 'is not there: there is no such socket', url],
    EACCES: ['socket', 'may not be opened by this user', 'let the user write to the socket: unixsocketperm of Redis'],
    EHOSTUNREACH: ['route', 'cannot be reached: no route to the host', 'mend the address or the network'],
    ENETUNREACH: ['route', 'cannot be reached: no route to the network', 'mend the address or the network'],
  };
}

const NO_DNS: Words = ['dns', 'cannot be looked up: the DNS of this host does not answer', 'mend the DNS of this host'];

function inTls({ address, withoutTls }: SetBy): ByCode {
  const skip = 'skip the check with REDIS_TLS_SKIP_HOSTNAME_VERIFICATION=true';
  const says = `has a certificate for another name than the host in ${address}`;
  const noTls: Words = ['tls', 'speaks no TLS on this port', `${withoutTls}, or use the TLS port`];
  return {
    ERR_TLS_CERT_ALTNAME_INVALID: ['tls', says, `use a name that is in the certificate, or ${skip}`],
    CERT_HAS_EXPIRED: ['tls', 'has a certificate that has expired', 'renew it, or mend the clock of this host'],
    CERT_NOT_YET_VALID: ['tls', 'has a certificate that is not valid yet', 'mend the clock of this host'],
    ERR_SSL_WRONG_VERSION_NUMBER: noTls,
    ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  };
}

const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED/;
const CLIENT_CERTIFICATE = 'set REDIS_TLS_CLIENT_CERT and REDIS_TLS_CLIENT_KEY, of an authority that Redis trusts';
const WANTS_CERTIFICATE = /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA/;

/** By what the system, TLS or ioredis said. */
function unheard(error: ProbeError, dialled: Dialled): Words {
  const { code, message } = error;
  const { by } = dialled;
  const known = { ...inNetwork(by), ...inTls(by) }[code];
  if (known !== undefined) return known;
  if (UNTRUSTED.test(code)) {
    return ['tls', 'has a certificate that this host does not trust', 'name its CA in REDIS_TLS_CACERT'];
  }
  if (WANTS_CERTIFICATE.test(code)) {
    return ['tls', 'wants a client certificate', CLIENT_CERTIFICATE];
  }
  if (/^(ERR_SSL|ERR_TLS|CERT_|EPROTO)/.test(code))
    return ['tls', `fails at TLS: ${code}`, 'mend the REDIS_TLS settings'];
  if (code === 'ETIMEDOUT') return late(dialled);
  if (/^Socket timeout/.test(message)) {
    const todo = 'see whether Redis is stopped or busy (redis-cli ping)';
    const says = 'takes the connection and says nothing';
    return ['silent', says, dialled.tls ? todo : `${todo}; ${by.withTls} if the port wants TLS`];
  }
  if (/RESP type|Protocol error/.test(message)) {
    return [
      'protocol',
      'answers, but not as Redis does: another program listens there',
      `mend the port in ${by.address}`,
    ];
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || /connection (was|is) closed/i.test(message)) {
    // TLS 1.3 ends the handshake before the server has looked at what the client shows.
    if (dialled.tls)
      return ['tls', 'hangs up after the handshake, as one that wants a client certificate', CLIENT_CERTIFICATE];
    return [
      'closed',
      'closes the connection without a word',
      `${by.withTls} if the port wants TLS; see the log of Redis`,
    ];
  }
  return ['unreachable', `cannot be reached: ${code || message.slice(0, 200)}`, 'see the log of Redis'];
}

function late({ tls, by, connectTimeoutMs, bare }: Dialled): Words {
  if (bare.far === 'no name') return NO_DNS;
  if (bare.far === 'open' && tls)
    return [
      'tls',
      'takes the connection and does not finish the TLS handshake',
      `${by.withoutTls}, or use the TLS port`,
    ];
  const says = `does not take a connection within ${connectTimeoutMs} ms`;
  return ['timeout', says, 'look for a firewall, a security group or a wrong address in between'];
}
