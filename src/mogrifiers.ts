import { pairs } from './go-values.ts';

/** What DOG_STATSD_MOGRIFIER_<key>_PATTERN, _NAME and _TAGS say. */
export interface MogrifierSetting {
  readonly key: string;
  readonly pattern: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** The Go service reads the first; its documentation names the second too. */
const PREFIXES = ['DOG_STATSD_MOGRIFIER', 'DOG_STATSD_MOGRIFIERS'];

/** Reads what belongs to the keys of USE_DOG_STATSD_MOGRIFIERS. What is wrong goes to `wrong`, a line each. */
export function readMogrifiers(keys: readonly string[], env: NodeJS.ProcessEnv, wrong: string[]): MogrifierSetting[] {
  return keys.map((key) => {
    const of = (part: string): string => PREFIXES.map((prefix) => env[`${prefix}_${key}_${part}`]).find(Boolean) ?? '';
    const [pattern, name] = [of('PATTERN'), of('NAME')];
    for (const [part, value] of Object.entries({ PATTERN: pattern, NAME: name })) {
      if (value === '')
        wrong.push(`${PREFIXES[0]}_${key}_${part}: is missing, and USE_DOG_STATSD_MOGRIFIERS names ${key}`);
    }
    try {
      return { key, pattern, name, tags: pairs(':')(of('TAGS')) };
    } catch (error) {
      wrong.push(`${PREFIXES[0]}_${key}_TAGS: ${(error as Error).message}`);
      return { key, pattern, name, tags: {} };
    }
  });
}
