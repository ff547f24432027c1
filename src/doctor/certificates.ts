import { type Certificate, type CertificateFiles, readCertificate } from '../grpc/certificates.ts';
import { certificateFiles } from '../grpc-door.ts';
import { SETTINGS, type Settings } from '../settings/settings.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const DAY_MS = 86_400_000;
/** Whoever renews certificates by itself has done so long before: the common tools do at a third of their time. */
const SOON_MS = 14 * DAY_MS;
const SOON_PART = 0.25;

/** The files of TLS on the gRPC port, read as the service would. None without TLS. */
export function certificates(settings: Settings, nowMs = Date.now()): readonly Finding[] {
  let files: CertificateFiles | null;
  let found: Certificate;
  try {
    files = certificateFiles(settings);
    if (files === null) return [];
    found = readCertificate(files);
  } catch (error) {
    return [
      fail('settings.wrong', (error as Error).message, 'weir serve would not start; mend the file or the setting'),
    ];
  }
  return [...own(files, found, nowMs), ...authority(files, found, nowMs), ...notEnforced(settings)];
}

function own({ cert }: CertificateFiles, { names, validFromMs, validToMs }: Certificate, nowMs: number) {
  const which = `the certificate in ${cert.path} (${cert.setting})`;
  const left = validToMs - nowMs;
  if (left <= 0) {
    return [
      fail('tls.certificate', `${which} has expired at ${day(validToMs)}`, 'put a new pair there; weir takes it'),
    ];
  }
  if (validFromMs > nowMs) {
    const todo = 'wait, or mend the clock of this host or of the one that made it';
    return [fail('tls.certificate', `${which} is valid only from ${day(validFromMs)}`, todo)];
  }
  if (left < Math.min(SOON_MS, SOON_PART * (validToMs - validFromMs))) {
    const todo = 'look why it has not been renewed; weir takes a new pair as soon as it is there';
    return [warn('tls.certificate', `${which} expires at ${day(validToMs)}`, todo)];
  }
  return [ok('tls.certificate', `${which} is for ${names}, valid until ${day(validToMs)}, and its key fits`)];
}

function authority({ clientCa }: CertificateFiles, { clientCaValidToMs }: Certificate, nowMs: number): Finding[] {
  if (clientCa === null || clientCaValidToMs === null) {
    const todo = `set ${SETTINGS.grpcClientCa.env} if clients shall show certificates`;
    return [ok('tls.clients', `clients need no certificate; ${todo}`)];
  }
  const which = `${clientCa.path} (${clientCa.setting})`;
  if (clientCaValidToMs <= nowMs) {
    const says = `an authority in ${which} has expired at ${day(clientCaValidToMs)}: its clients are not let in`;
    return [fail('tls.clients', says, 'put a new one there; weir takes it')];
  }
  return [ok('tls.clients', `only clients with a certificate of ${which} are let in`)];
}

function notEnforced({ grpcServerTlsCaCert, grpcClientCa }: Settings): Finding[] {
  if (grpcServerTlsCaCert === null || grpcClientCa !== null) return [];
  const says = `${SETTINGS.grpcServerTlsCaCert.env} is set and not enforced, as in the Go service: every client is let in`;
  return [
    warn('tls.authority', says, `name it in ${SETTINGS.grpcClientCa.env} too if clients shall show certificates`),
  ];
}

function day(ms: number): string {
  return new Date(ms).toISOString();
}
