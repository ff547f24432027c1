import { eventually } from '../support/eventually.ts';
import { caller } from './caller.ts';
import type { Bed } from './run-group.ts';
import type { RuleFileCase } from './scenario.ts';
import { type Server, server } from './server.ts';

const PROBE = { domain: 'no such domain', descriptors: [{ entries: [{ key: 'k', value: 'v' }] }] };

/** Rule files that a server must start with, or must refuse: then every call fails and the log says why. */
export async function runCase(it: RuleFileCase, { command, redis, expect, tally }: Bed): Promise<void> {
  const recorded = { accepted: it.accepted, ...(it.accepted ? {} : { log: saying(it) }) };
  const expected = expect.after(it.id, 'load', recorded);
  const under = await server({
    command,
    rules: it.files,
    redisPort: redis?.port ?? null,
    env: {
      LOG_FORMAT: 'json',
      ...(it.merge ? { MERGE_DOMAIN_CONFIG: 'true' } : {}),
    },
  }).catch((error: Error) => error);
  if (under instanceof Error) return tally.failed(it.id, 'start', [under.message]);
  const calls = caller(under.grpcAddress);
  try {
    const accepted = (await calls.shouldRateLimit(PROBE)).error === undefined;
    const got = { accepted, ...(accepted ? {} : { log: await told(under, expected.want.log ?? '') }) };
    const different =
      accepted === expected.want.accepted ? (got.log === expected.want.log ? [] : ['log']) : ['accepted'];
    tally.checked(it.id, 'load', expected, recorded, got, different);
  } finally {
    calls.close();
    await under.stop();
  }
}

function saying({ file, message = '', compare }: RuleFileCase): string {
  const text = compare === 'prefix' ? `${message.split(': ')[0]}: ` : message;
  return file === undefined ? text : `${file}: ${text}`;
}

/** The text, once the log holds it: a line may come later than the answer. What stands there in its place, if it never does. */
function told(under: Server, text: string): Promise<string> {
  return eventually('the log to say it', () => plain(under.log()).includes(plain(text))).then(
    () => text,
    () => lastErrors(under.log()),
  );
}

/** Without JSON escapes and line breaks, so that a text is found in every kind of log. */
function plain(text: string): string {
  return text
    .replace(/\\u00([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\n/g, ' ')
    .replace(/\\/g, '')
    .replace(/\s+/g, ' ');
}

const lastErrors = (log: string): string =>
  log
    .split('\n')
    .filter((line) => /err/i.test(line))
    .slice(-2)
    .join(' / ')
    .slice(0, 400);
