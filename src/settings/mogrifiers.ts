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

/**
 * Reads what belongs to the keys of USE_DOG_STATSD_MOGRIFIERS. What is wrong goes to `wrong`, a line each, which tells a
 * key by its place, as no value of a setting is ever told.
 */
export function readMogrifiers(keys: readonly string[], env: NodeJS.ProcessEnv, wrong: string[]): MogrifierSetting[] {
  return keys.map((key, at) => {
    const variable = (part: string): string =>
      `DOG_STATSD_MOGRIFIER_<word ${at + 1} of USE_DOG_STATSD_MOGRIFIERS>_${part}`;
    const of = (part: string): string => PREFIXES.map((prefix) => env[`${prefix}_${key}_${part}`]).find(Boolean) ?? '';
    for (const part of ['PATTERN', 'NAME']) if (of(part) === '') wrong.push(`${variable(part)}: is missing`);
    return { key, pattern: of('PATTERN'), name: of('NAME'), tags: tagsOf(of('TAGS'), variable('TAGS'), wrong) };
  });
}

function tagsOf(text: string, variable: string, wrong: string[]): MogrifierSetting['tags'] {
  try {
    return pairs(':')(text);
  } catch (error) {
    wrong.push(`${variable}: ${(error as Error).message}`);
    return {};
  }
}
