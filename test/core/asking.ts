import type { Match } from '../../src/core/decision.ts';
import { type MatchOptions, match } from '../../src/core/match.ts';
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

/** Hashes are the value backwards, in brackets. */
export const MATCHING: MatchOptions = {
  keyFormat: 'go',
  hashValue: (value) => `<${[...value].reverse().join('')}>`,
};

export function matchesOf(rules: Ruleset, asked: CheckRequest, options: Partial<MatchOptions> = {}): readonly Match[] {
  return match(rules.domains.get(asked.domain), asked, { ...MATCHING, ...options });
}

/** What a match says, short: `10/minute name`, with `+` between several, `unlimited`, `replaced`, or why there is none. */
export function told(found: Match): string {
  if (found.kind === 'none') return found.because;
  if (found.kind !== 'limited') return found.kind;
  return found.limits
    .map(({ requestsPerUnit, unit, name }) => `${requestsPerUnit}/${unit}${name === '' ? '' : ` ${name}`}`)
    .join(' + ');
}
