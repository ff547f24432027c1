import { type Finding, fail, ok, warn } from '../finding.ts';

/** Round trips in milliseconds, against the time a call may wait for Redis. */
export function latency(room: string, who: string, tripsMs: readonly number[], commandTimeoutMs: number): Finding {
  const sorted = [...tripsMs].sort((a, b) => a - b);
  const [least = 0, median = 0, most = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  const name = `${room}.latency`;
  const says = `${who} answers ${sorted.length} pings in ${ms(least)} to ${ms(most)}, half of them within ${ms(median)}`;
  const todo = 'bring Redis nearer, look what keeps it busy (SLOWLOG GET), or raise REDIS_COMMAND_TIMEOUT';
  if (median >= commandTimeoutMs) return fail(name, `${says}: calls will time out at ${ms(commandTimeoutMs)}`, todo);
  if (most >= commandTimeoutMs / 2) {
    return warn(name, `${says}, which is near the REDIS_COMMAND_TIMEOUT of ${ms(commandTimeoutMs)}`, todo);
  }
  return ok(name, says);
}

export function ms(number: number): string {
  return `${number < 10 ? number.toFixed(2) : Math.round(number)} ms`;
}
