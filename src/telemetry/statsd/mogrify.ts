import { RE2JS } from 're2js';

/** A setting: names that fit the pattern are told under another name, with tags. `$1` is what its first group took. */
export interface Mogrifier {
  /** As USE_DOG_STATSD_MOGRIFIERS calls it. */
  readonly key: string;
  /** In the syntax of Go's regexp. */
  readonly pattern: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Mogrified {
  readonly name: string;
  readonly tags: readonly (readonly [key: string, value: string])[];
}

export type Mogrify = (name: string) => Mogrified;

/** The first that fits wins; a name that none fits stays as it is. Throws an Error that names the pattern that is none. */
export function mogrify(list: readonly Mogrifier[]): Mogrify {
  const compiled = list.map(({ key, pattern, name, tags }) => ({ regex: compile(key, pattern), name, tags }));
  return (name) => {
    for (const each of compiled) {
      const match = each.regex.matcher(name);
      if (!match.find()) continue;
      const fill = (template: string): string =>
        template.replace(/\$(\d+)/g, (whole, digits: string) =>
          Number(digits) > match.groupCount() ? whole : (match.group(Number(digits)) ?? ''),
        );
      return { name: fill(each.name), tags: Object.entries(each.tags).map(([key, value]) => [key, fill(value)]) };
    }
    return { name, tags: [] };
  };
}

function compile(key: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(`DOG_STATSD_MOGRIFIER_${key}_PATTERN: not a regular expression: ${(error as Error).message}`);
  }
}
