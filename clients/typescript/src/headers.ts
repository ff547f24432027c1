import type { Status } from './answer.ts';

/**
 * The two fields of draft-ietf-httpapi-ratelimit-headers-10, which tell of every limit, the three of its older versions
 * (-06), which tell of the one that binds, and Retry-After on refusals. Headers that the service sends win.
 */
export function headersOf(
  allowed: boolean,
  binding: Status | null,
  statuses: readonly Status[],
  fromService: readonly { readonly key: string; readonly value: string }[],
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  const limited = named(statuses);
  if (limited.length > 0) {
    headers['RateLimit-Policy'] = limited
      .map(({ name, limit }) => `${name};q=${limit.requests}${parameter('w', limit.windowSeconds)}`)
      .join(', ');
    headers.RateLimit = limited
      .map(({ name, remaining, resetSeconds }) => `${name};r=${remaining}${parameter('t', resetSeconds)}`)
      .join(', ');
  }
  if (binding?.limit) {
    headers['RateLimit-Limit'] = String(binding.limit.requests);
    headers['RateLimit-Remaining'] = String(binding.remaining);
    if (binding.resetSeconds !== null) headers['RateLimit-Reset'] = String(binding.resetSeconds);
  }
  if (!allowed) headers['Retry-After'] = String(binding?.resetSeconds ?? 1);
  for (const { key, value } of fromService) {
    const same = Object.keys(headers).find((name) => name.toLowerCase() === key.toLowerCase());
    headers[same ?? key] = value;
  }
  return headers;
}

/** The statuses that have a limit, each with a name of its own as a structured field has it: a text in quotes. */
function named(statuses: readonly Status[]) {
  const taken = new Set<string>();
  return statuses.flatMap(({ limit, remaining, resetSeconds }) => {
    if (limit === null) return [];
    const wanted = (limit.name || limit.unit || 'limit').replace(/[^ -~]/gu, '_').replace(/["\\]/g, '\\$&');
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}-${n}`;
    taken.add(name);
    return [{ name: `"${name}"`, limit, remaining, resetSeconds }];
  });
}

function parameter(name: string, value: number | null): string {
  return value === null ? '' : `;${name}=${value}`;
}
