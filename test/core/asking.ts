import type { Match } from '../../src/core/decision.ts';
import { match } from '../../src/core/match.ts';
import type { CheckRequest, Descriptor, Entry } from '../../src/core/request.ts';
import type { Ruleset } from '../../src/core/ruleset.ts';

/** `key=value key2=value2`; without `=` the value is empty. */
export function entriesOf(text: string): readonly Entry[] {
  return text.split(' ').map((part) => {
    const [key = '', ...value] = part.split('=');
    return { key, value: value.join('=') };
  });
}

export function descriptor(entries: string | readonly Entry[], part: Partial<Descriptor> = {}): Descriptor {
  const read = typeof entries === 'string' ? entriesOf(entries) : entries;
  return { entries: read, limit: null, hits: null, refund: false, ...part };
}

export function request(domain: string, descriptors: readonly (string | Descriptor)[], hits = 0): CheckRequest {
  return { domain, descriptors: descriptors.map((d) => (typeof d === 'string' ? descriptor(d) : d)), hits };
}

export function matchesOf(rules: Ruleset, asked: CheckRequest): readonly Match[] {
  return match(rules.domains.get(asked.domain), asked);
}

/** What a match says, short: `10/minute name`, `unlimited`, `replaced`, or why there is none. */
export function told(found: Match): string {
  if (found.kind === 'none') return found.because;
  if (found.kind !== 'limited') return found.kind;
  const { limit, rule } = found;
  return `${limit.requestsPerUnit}/${limit.unit}${rule?.name ? ` ${rule.name}` : ''}`;
}
