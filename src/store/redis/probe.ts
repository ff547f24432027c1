import { Command, type Redis } from 'ioredis';
import { hangUp } from './connect.ts';

/** One connection, dialled once, for questions. */
export interface RedisProbe {
  /** From the dial to the end of the login, in milliseconds. */
  readonly tookMs: number;
  /** Texts come as texts. Rejects with ProbeError. */
  ask(command: string, ...args: readonly string[]): Promise<unknown>;
  close(): void;
}

/** What ioredis or Redis said, without the command and so without keys and passwords. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
  /** Of the system or of TLS: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. '' when there is none. */
  readonly code: string;
  /** Redis answered with this text, as opposed to not answering. */
  readonly refusal: boolean;
  constructor(message: string, code = '', refusal = false) {
    super(message);
    this.code = code;
    this.refusal = refusal;
  }
}

/** Dials with a client that has not been used. Rejects with ProbeError, of the first thing that goes wrong. */
export function redisProbe(client: Redis): Promise<RedisProbe> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const give = (error: unknown): void => {
      hangUp(client);
      reject(probeError(error));
    };
    // An error after the first is no news, and ioredis prints what nobody listens to.
    client.on('error', give);
    client.once('close', () => give(new Error('the connection was closed')));
    client.once('ready', () => {
      resolve({
        tookMs: performance.now() - startedAt,
        async ask(command, ...args) {
          try {
            return await client.sendCommand(new Command(command, [...args], { replyEncoding: 'utf8' }));
          } catch (error) {
            throw probeError(error);
          }
        },
        close: () => hangUp(client),
      });
    });
    client.connect().catch(() => {});
  });
}

function probeError(error: unknown): ProbeError {
  if (error instanceof ProbeError) return error;
  if (!(error instanceof Error)) return new ProbeError(String(error));
  const { code } = error as NodeJS.ErrnoException;
  return new ProbeError(error.message || error.name, typeof code === 'string' ? code : '', error.name === 'ReplyError');
}
