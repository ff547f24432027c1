import { relative } from 'node:path';
import { type App, app } from '../app.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { primary } from '../primary.ts';
import { reasons } from '../settings/go-names.ts';
import { type ReadSettings, readSettings, SettingsError } from '../settings/read-settings.ts';
import type { Settings } from '../settings/settings.ts';
import { settingsHelp } from '../settings/text.ts';
import { NotStarted } from '../workers/crew.ts';
import { fedRules } from '../workers/fed-rules.ts';
import { type PrimaryLink, primaryLink } from '../workers/primary-link.ts';
import { profiled } from '../workers/profile-line.ts';
import type { Role } from '../workers/role.ts';

export const SERVE_HELP = `weir serve [settings]            decide until SIGTERM

Settings are flags, or environment variables of the same name in capitals with underscores (--grpc-port is GRPC_PORT).
Flags win over the environment, the environment over the defaults in brackets.
${settingsHelp()}
`;

/**
 * `weir serve`: exit code 0 after SIGTERM, SIGINT or SIGHUP, 1 when it could not start or go on, 2 for wrong settings, or
 * when there is an objection to them.
 */
export async function serve(
  args: readonly string[],
  objection: (read: ReadSettings) => string | null = () => null,
): Promise<number> {
  let read: ReadSettings;
  try {
    read = readSettings(args, process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return fail(2, error.lines);
  }
  const objected = objection(read);
  if (objected !== null) return fail(2, [objected]);
  const link = primaryLink();
  return link === null ? serveAlone(read) : serveAsWorker(read, link);
}

async function serveAlone(read: ReadSettings): Promise<number> {
  let service: App;
  try {
    service = read.settings.workers === 1 ? app(read) : primary(read);
  } catch (error) {
    return fail(2, [(error as Error).message]);
  }
  const asked = stopSignal();
  try {
    // A start lasts for as long as one of its workers ends before it serves, or rules are long in coming.
    const early = await Promise.race([service.start(), asked]);
    if (early === undefined) tellStart(service, read);
  } catch (error) {
    await service.stop();
    return failed(error as Error);
  }
  const why = await Promise.race([asked, ...(service.broken === undefined ? [] : [service.broken])]);
  if (typeof why === 'string') service.log.logger.info('%s: draining', why);
  await service.stop();
  return typeof why === 'string' ? 0 : failed(why);
}

/** One of several, of whom the primary tells what there is to tell. */
async function serveAsWorker(read: ReadSettings, link: PrimaryLink): Promise<number> {
  let service: App;
  try {
    service = app(read, roleOf(link, read));
  } catch (error) {
    await link.end({ kind: 'failed', exitCode: 2, lines: [(error as Error).message] });
    return 2;
  }
  // Ctrl-C in a terminal reaches workers as well as the primary.
  const asked = Promise.race([stopSignal(), link.drain, link.gone]);
  try {
    await Promise.race([service.start(), Promise.race([link.drain, link.gone]).then(() => service.stop())]);
    link.send({ kind: 'serves', addresses: service.addresses() });
  } catch (error) {
    await service.stop();
    await link.end({ kind: 'failed', exitCode: 1, lines: [(error as Error).message] });
    return 1;
  }
  const why = await asked;
  // A primary that goes while its workers drain was ended at once, and so are they.
  const atOnce = why === 'gone' ? [] : [link.gone];
  if ((await Promise.race([service.stop(), ...atOnce])) === 'gone') return 1;
  await link.end();
  return 0;
}

function roleOf(link: PrimaryLink, { settings }: ReadSettings): Role {
  return {
    id: link.id,
    isReplacement: link.id > settings.workers,
    rules: (observer) => fedRules(link, observer),
    metrics: link.metrics,
    reports: link.reports,
    profiles: (make) => profiled(link, make),
  };
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** A second signal, of whichever kind, ends the process at once, as the system would have. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    function asked(signal: NodeJS.Signals): void {
      for (const each of STOP_SIGNALS) process.removeListener(each, asked);
      resolve(signal);
    }
    for (const each of STOP_SIGNALS) process.on(each, asked);
  });
}

/** Nothing that a shell or the client reads in its own way. */
const PLAIN_WORD = /^[\w./:@-]+$/;

function tellStart(
  { addresses, places, rules, log: { logger } }: App,
  { ignored, warnings, settings }: ReadSettings,
): void {
  const { grpc, ...others } = addresses();
  for (const reason of reasons(ignored)) logger.info('settings of the Go service without effect here: %s', reason);
  for (const warning of warnings) logger.warn(warning);
  const doors = Object.entries(others).map(([name, address]) => `${name} ${address}`);
  const crew = settings.workers === 1 ? '' : `, with ${settings.workers} workers`;
  logger.info('serving: grpc %s, %s%s', grpc, doors.join(', '), crew);
  const live = rules.loaded()?.ruleset;
  const limits = live?.rules.filter(({ limits: own, unlimited }) => own.length > 0 || unlimited).length ?? 0;
  const counts =
    live === undefined ? 'none yet' : `${plural(limits, 'limit')} in ${plural(live.domains.size, 'domain')}`;
  logger.info('rules: %s, from %s', counts, places.rules);
  if (places.counting.startsWith('Redis')) logger.info('counting in %s', places.counting);
  else logger.warn('counting in %s: other instances do not see it, and it is gone at a restart', places.counting);
  const example = live === undefined ? null : firstExample(live);
  const how = `--address ${localAddress(grpc)}${tlsFlags(settings)}`;
  if (example) logger.info('try it: %s client %s %s', command(), how, example);
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** The first limit at the top of a domain that is for every value: values in rules may be secrets. */
function firstExample({ domains }: Ruleset): string | null {
  for (const [name, { root }] of domains) {
    for (const [key, { any }] of root.byKey) {
      if (any !== null && any.limits.length > 0 && PLAIN_WORD.test(name) && PLAIN_WORD.test(key)) {
        return `--domain ${name} --descriptor ${key}=something`;
      }
    }
  }
  return null;
}

/** Whom to trust, and as whom to call, is known to who tries it. */
function tlsFlags({ grpcTls, grpcClientCa }: Settings): string {
  if (!grpcTls) return '';
  return ` --tls-ca CA_FILE${grpcClientCa === null ? '' : ' --tls-cert CERT_FILE --tls-key KEY_FILE'}`;
}

/** As it was called: from a checkout there is no `weir` on the PATH. */
function command(): string {
  const script = process.argv[1] ?? '';
  return script.endsWith('.js') ? `node ${relative(process.cwd(), script)}` : 'weir';
}

/** Callers on this machine reach a port that is open on all interfaces by the loopback address. */
function localAddress(address = ''): string {
  return address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:');
}

function failed(error: Error): number {
  return error instanceof NotStarted ? fail(error.exitCode, error.lines) : fail(1, [error.message]);
}

function fail(exitCode: number, lines: readonly string[]): number {
  process.stderr.write(`${lines.map((line) => `weir serve: ${line}`).join('\n')}\n`);
  return exitCode;
}
