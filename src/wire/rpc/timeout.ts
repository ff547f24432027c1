/** "TimeoutValue TimeoutUnit" of the gRPC protocol: at most 8 digits and a unit. */
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds, or null when it is malformed. */
export function parseTimeout(text: string): number | null {
  const match = TIMEOUT.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2]!]!;
}
