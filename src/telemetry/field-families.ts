import type { DomainNumbers } from './domain-numbers.ts';
import type { Family, Labels } from './exposition.ts';
import { FAMILIES } from './families.ts';
import { mappedFamilies } from './mapping/mapped-families.ts';
import type { Mapper } from './mapping/mapper.ts';
import { type Numbers, scrape } from './scrape.ts';
import { stats } from './stats.ts';

export interface FieldOptions {
  /** PROMETHEUS_MAPPER_YAML; null: the mapping that the Go service has built in. */
  readonly mapper: Mapper | null;
  /** Of the built-in mapping: milliseconds under the name that says seconds. */
  readonly responseTimeAsMs: boolean;
  readonly tags: Labels;
  /** Names of what the process tells beside these; a mapping that makes one of them is left out. */
  readonly ofProcess: ReadonlySet<string>;
  /** A mapping gives one name to two kinds of metrics. */
  readonly onConflict: (name: string) => void;
}

const US_PER_MS = 1_000;

const OWN = Object.values(FAMILIES).filter(({ origin }) => origin === 'weir');
const OWN_NAMES: ReadonlySet<string> = new Set(OWN.map(({ name }) => name));
const OWN_AND_PER_DOMAIN: ReadonlySet<string> = new Set(
  OWN.filter(({ labels }) => (labels as readonly string[]).includes('domain')).map(({ name }) => name),
);

/**
 * What PROMETHEUS_ADDR tells: all but those families of weir's own that carry a domain, so that what stands under a
 * domain is exactly what the Go service tells of it.
 */
export function fieldFamilies(numbers: Numbers, domains: readonly DomainNumbers[], options: FieldOptions): Family[] {
  const { mapper, responseTimeAsMs, tags, ofProcess, onConflict } = options;
  const built = scrape(numbers, domains, responseTimeAsMs ? US_PER_MS : undefined);
  const shown = built.filter(({ name }) => !OWN_AND_PER_DOMAIN.has(name));
  if (mapper === null) return shown;
  const made = mappedFamilies(stats(numbers, domains), { mapper, tags, onConflict });
  const mapped = made.filter(({ name }) => !ofProcess.has(name));
  for (const { name } of made) if (ofProcess.has(name)) onConflict(name);
  const taken = new Set(mapped.map(({ name }) => name));
  return [...mapped, ...shown.filter(({ name }) => OWN_NAMES.has(name) && !taken.has(name))];
}
