import { relative } from 'node:path';
import { type App, app } from '../app.ts';
import type { Ruleset } from '../core/ruleset.ts';
import { reasons } from '../go-names.ts';
import { type ReadSettings, readSettings, type Settings, SettingsError, settingsHelp } from '../settings.ts';

export const SERVE_HELP = `weir serve [settings]            decide until SIGTERM

Settings are flags, or environment variables of the same name in capitals with underscores (--grpc-port is GRPC_PORT).
Flags win over the environment, the environment over the defaults in brackets.
${settingsHelp()}
`;

/**
 * `weir serve`: exit code 0 after SIGTERM, SIGINT or SIGHUP, 1 when it could not start, 2 for wrong settings, or when there
 * is an objection to them.
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
  let service: App;
  try {
    service = app(read);
  } catch (error) {
    return fail(2, [(error as Error).message]);
  }
  const asked = stopSignal();
  try {
    await service.start();
  } catch (error) {
    await service.stop();
    return fail(1, [(error as Error).message]);
  }
  tellStart(service, read);
  service.log.logger.info('%s: draining', await asked);
  await service.stop();
  return 0;
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
  logger.info('serving: grpc %s, %s', grpc, doors.join(', '));
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

function fail(exitCode: number, lines: readonly string[]): number {
  process.stderr.write(`${lines.map((line) => `weir serve: ${line}`).join('\n')}\n`);
  return exitCode;
}
