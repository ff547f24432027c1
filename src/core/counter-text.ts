import type { Entry } from './request.ts';
import type { Rule } from './ruleset.ts';

/** `go`: the Go service's text wherever a limit says nothing that it does not know. `escaped`: never. */
export type KeyFormat = 'go' | 'escaped';

/**
 * What the Go service's keys have between the domain and the start of the window: `<key>_<value>_` for every entry, with
 * the pattern in place of a shared value. `rules` are those of the levels, none for an override.
 */
export function goCounter(entries: readonly Entry[], rules: readonly Rule[]): string {
  let text = '';
  for (let i = 0; i < entries.length; i++) {
    const { key, value } = entries[i] as Entry;
    const rule = rules[i];
    text += `${key}_${rule?.shareThreshold === true ? patternOf(rule) : value}_`;
  }
  return text;
}

/**
 * Domain and entries, such that no two lists of them read the same: `{api|user=ann|plan=free}`. A pattern stands after
 * `~`. The braces make all counters of one descriptor live in one slot of a Redis Cluster.
 */
export function identityOf(domain: string, entries: readonly Entry[], rules: readonly Rule[]): string {
  let text = `{${escaped(domain)}`;
  for (let i = 0; i < entries.length; i++) {
    const { key, value } = entries[i] as Entry;
    const rule = rules[i];
    text += `|${escaped(key)}${rule?.shareThreshold === true ? `~${escaped(patternOf(rule))}` : `=${escaped(value)}`}`;
  }
  return `${text}}`;
}

/** What share_threshold puts in place of the value; the whole text where the star is in the key. */
export function patternOf(rule: Rule): string {
  return rule.key.includes('*') ? rule.text : rule.value;
}

const SPECIAL = /[%{}|=~]/;
const EVERY_SPECIAL = /[%{}|=~]/g;

function escaped(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text.replace(EVERY_SPECIAL, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
