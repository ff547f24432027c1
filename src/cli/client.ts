import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  CallError,
  type ClientTls,
  type RateLimitDescriptor,
  type RateLimitResponse,
  type RateLimitStatus,
  type RlsClient,
  rlsClient,
} from '../grpc/client.ts';

/** Where answers and complaints go. */
interface Output {
  write(text: string): unknown;
}

export interface Question {
  /** `host:port`, or `unix:path`. */
  readonly address: string;
  /** Absent: plain text. */
  readonly tls?: ClientTls | undefined;
  readonly domain: string;
  /** Each `key=value,key2=value2`; see `parseDescriptor`. */
  readonly descriptors: readonly string[];
  /** Absent: 1. */
  readonly hits?: number;
  readonly timeoutMs: number;
}

export const CLIENT_HELP = `weir client --domain D ...       ask once and print the answer

  --domain NAME                     the domain to ask
  --descriptor KEY=VALUE[,KEY=VALUE]
                                    its entries; may come again for more descriptors; \\, is a comma in a value
  --hits N                          how many to charge [1]; 0 only looks
  --address HOST:PORT               where weir is [127.0.0.1:8081]; unix:PATH for a socket
  --tls                             speak TLS; each of the following does so too
  --tls-ca FILE                     PEM file of the authorities to trust, in place of those of the system
  --tls-cert FILE, --tls-key FILE   our certificate and its key, for a weir that asks who calls
  --tls-server-name NAME            what the certificate of weir must be for [the host of the address]
  --timeout-ms N                    how long to wait [2000]

Exit code: 0 OK, 1 OVER_LIMIT, 2 no answer.
`;

const DEFAULT_ADDRESS = '127.0.0.1:8081';
const DEFAULT_TIMEOUT_MS = 2000;
const UINT32_MAX = 0xffff_ffff;
const UNLIMITED_REMAINING = UINT32_MAX;

/** What was not understood; the text is for the person who typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `weir client`: exit code 0 when the answer is OK, 1 when it is OVER_LIMIT, 2 when there is none. */
export async function client(
  args: readonly string[],
  out: Output = process.stdout,
  err: Output = process.stderr,
): Promise<number> {
  try {
    const response = await ask(questionOf(args));
    out.write(describeResponse(response));
    return response.overallCode === 'OK' ? 0 : 1;
  } catch (error) {
    err.write(`weir client: ${reasonOf(error)}\n`);
    return 2;
  }
}

export async function ask({
  address,
  tls,
  domain,
  descriptors,
  hits,
  timeoutMs,
}: Question): Promise<RateLimitResponse> {
  const request = {
    domain,
    // A request's own 0 means that nothing was said; a descriptor's 0 looks.
    descriptors: descriptors
      .map(parseDescriptor)
      .map((each) => (hits === 0 ? { ...each, hitsAddend: { value: '0' } } : each)),
    ...(hits === undefined ? {} : { hitsAddend: hits }),
  };
  const rls = clientOf(address, timeoutMs, tls);
  try {
    return await rls.check(request);
  } finally {
    rls.close();
  }
}

function clientOf(address: string, timeoutMs: number, tls: ClientTls | undefined): RlsClient {
  try {
    return rlsClient(address, { timeoutMs, tls });
  } catch (error) {
    throw new UsageError(`the files of --tls-* cannot be used: ${(error as Error).message}`);
  }
}

/** `key=value,key2=value2`. The first `=` ends the key; without one the value is empty; `\,` is a comma. */
export function parseDescriptor(text: string): RateLimitDescriptor {
  const entries = text.split(/(?<!\\),/).map((part) => {
    const plain = part.replaceAll('\\,', ',');
    const at = plain.indexOf('=');
    const entry = at < 0 ? { key: plain, value: '' } : { key: plain.slice(0, at), value: plain.slice(at + 1) };
    if (entry.key === '') throw new UsageError(`a descriptor needs a key: ${JSON.stringify(text)}`);
    return entry;
  });
  return { entries };
}

function questionOf(args: readonly string[]): Question {
  const { values } = parse(args);
  if (values.domain === undefined) throw new UsageError('--domain is missing');
  if (values.descriptor === undefined) throw new UsageError('--descriptor key=value is missing');
  return {
    address: values.address,
    tls: tlsOf(values),
    domain: values.domain,
    descriptors: values.descriptor,
    ...(values.hits === undefined ? {} : { hits: integer('--hits', values.hits, 0) }),
    timeoutMs: integer('--timeout-ms', values['timeout-ms'], 1),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        address: { type: 'string', default: DEFAULT_ADDRESS },
        domain: { type: 'string' },
        descriptor: { type: 'string', multiple: true },
        hits: { type: 'string' },
        tls: { type: 'boolean', default: false },
        'tls-ca': { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'tls-server-name': { type: 'string' },
        'timeout-ms': { type: 'string', default: String(DEFAULT_TIMEOUT_MS) },
      },
    });
  } catch (error) {
    const [first = ''] = (error as Error).message.split('\n');
    const dashed = /^Option '(?:-\w, )?(--[\w-]+)\b.*' argument is ambiguous/.exec(first)?.[1];
    throw new UsageError(dashed === undefined ? first : `write a value with a dash as ${dashed}=-...`);
  }
}

function tlsOf(values: ReturnType<typeof parse>['values']): ClientTls | undefined {
  const { tls, 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key, 'tls-server-name': serverName } = values;
  if (!tls && [ca, cert, key, serverName].every((it) => it === undefined)) return undefined;
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--tls-cert and --tls-key go together');
  return { ca: pem('--tls-ca', ca), cert: pem('--tls-cert', cert), key: pem('--tls-key', key), serverName };
}

function pem(flag: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as NodeJS.ErrnoException).code ?? 'it cannot be read'}: ${path}`);
  }
  if (!bytes.includes('-----BEGIN ')) throw new UsageError(`${flag}: there is nothing in PEM form in ${path}`);
  return bytes;
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > UINT32_MAX) {
    throw new UsageError(`${name} takes a whole number from ${least} to ${UINT32_MAX}, not ${JSON.stringify(text)}`);
  }
  return value;
}

export function describeResponse({ overallCode, statuses, responseHeadersToAdd }: RateLimitResponse): string {
  const lines = [
    overallCode,
    ...statuses.map((status, i) => `  descriptor ${i + 1}: ${describeStatus(status)}`),
    ...responseHeadersToAdd.map(({ key, value }) => `  header ${key}: ${value}`),
  ];
  return `${lines.join('\n')}\n`;
}

function describeStatus({ code, currentLimit, limitRemaining, durationUntilReset }: RateLimitStatus): string {
  if (currentLimit === null) return `${code}, ${limitRemaining === UNLIMITED_REMAINING ? 'unlimited' : 'no limit'}`;
  const { requestsPerUnit, unit, name } = currentLimit;
  const limit = `limit ${requestsPerUnit} per ${String(unit).toLowerCase()}${name === '' ? '' : ` (${name})`}`;
  const reset = durationUntilReset === null ? '' : `, resets in ${durationUntilReset.seconds} s`;
  return `${code}, ${limit}, ${limitRemaining} remaining${reset}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}; weir --help shows how to ask`;
  if (error instanceof CallError) return `no answer: ${plain(error.message)} (gRPC status ${error.code})`;
  throw error;
}

/** In one line, and without what grpc-js puts around the error of a connection. */
function plain(message: string): string {
  return message
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.?\s*Resolution note:\s*$/, '')
    .replace(/\s+/g, ' ');
}
