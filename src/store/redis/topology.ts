import type { HostPort } from './target.ts';

/** Slots `from` to `to`, both included. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly master: HostPort;
}

/**
 * The reply to CLUSTER SLOTS: first slot, last slot, then nodes, the master first, as host, port and more. A node that
 * does not know its own name leaves the host empty, and means the one that was asked.
 */
export function rangesOf(reply: unknown, askedHost: string): readonly Range[] {
  if (!Array.isArray(reply)) return [];
  return reply.flatMap((row: unknown) => {
    const [from, to, master] = Array.isArray(row) ? (row as unknown[]) : [];
    if (typeof from !== 'number' || typeof to !== 'number' || !Array.isArray(master)) return [];
    const [host, port] = master as unknown[];
    return [{ from, to, master: { host: hostOr(host, askedHost), port: Number(port) } }];
  });
}

export interface Redirection extends HostPort {
  readonly slot: number;
  /** The slot is being moved there, and this one call is to be asked of it. */
  readonly asking: boolean;
}

/** `MOVED 3999 10.0.0.1:6381` or `ASK ...`; null for any other text. */
export function redirection(text: string, askedHost: string): Redirection | null {
  const parts = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(text);
  if (parts === null) return null;
  const [, word, slot, host, port] = parts;
  return { host: hostOr(host, askedHost), port: Number(port), slot: Number(slot), asking: word === 'ASK' };
}

function hostOr(host: unknown, askedHost: string): string {
  return typeof host === 'string' && host !== '' && host !== '?' ? host : askedHost;
}
