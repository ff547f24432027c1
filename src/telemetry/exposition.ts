import { Registry } from 'prom-client';
import { type Buckets, total } from './buckets.ts';
import type { Across, FamilyRow } from './families.ts';

export type Labels = { readonly [name: string]: string };

export interface Sample {
  readonly value: number;
  readonly labels: Labels;
  /** Where it differs from the family's: `_bucket`, `_sum`, `_count`. */
  readonly metricName?: string;
}

/** A family as prom-client takes it from a metric, made anew for each scrape. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyRow['type'] | 'summary';
  readonly aggregator: Across;
  readonly values: readonly Sample[];
}

type PromMetrics = ReturnType<Registry['getMetricsAsArray']>;

/**
 * A prom-client Registry that asks for weir's families at the moment of the scrape, beside the metrics of `others` and
 * those registered with itself. A family without samples is left out whole, as in the Go service's exposition.
 */
export class Exposition extends Registry {
  readonly #families: () => readonly Family[];
  readonly #others: Registry;

  constructor(families: () => readonly Family[], others: Registry) {
    super();
    this.#families = families;
    this.#others = others;
  }

  override getMetricsAsArray(): PromMetrics {
    const own = this.#families()
      .filter((family) => family.values.length > 0)
      .map((family) => ({ ...family, get: async () => family }));
    return [...(own as unknown as PromMetrics), ...this.#others.getMetricsAsArray(), ...super.getMetricsAsArray()];
  }
}

export function family(row: FamilyRow, values: readonly Sample[], name: string = row.name): Family {
  return { name, help: row.help, type: row.type, aggregator: row.across, values };
}

/**
 * A counter without labels, 0 from the start: a rate sees no increase where a series begins. Those of the Go service are
 * absent until they have moved, as there.
 */
export function counted(row: FamilyRow, value: number): Family {
  return family(row, value === 0 && row.origin === 'field' ? [] : [{ value, labels: {} }]);
}

export function gauged(row: FamilyRow, value: number, labels: Labels = {}): Family {
  return family(row, [{ value, labels }]);
}

/** Samples of one histogram. `divisor` makes its numbers those of the exposition: 1e6 for microseconds told as seconds. */
export function histogram(name: string, from: Buckets, divisor: number, labels: Labels = {}): Sample[] {
  const samples: Sample[] = [];
  let below = 0;
  from.counts.forEach((count, at) => {
    below += count;
    const bound = from.bounds[at];
    const le = bound === undefined ? '+Inf' : String(bound / divisor);
    samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: below });
  });
  samples.push({ metricName: `${name}_sum`, labels, value: total(from.sums) / divisor });
  samples.push({ metricName: `${name}_count`, labels, value: below });
  return samples;
}

/** Adds up what carries the same labels, so that no series is told twice; zeros are left out, or told. */
export function byLabels(
  values: Iterable<{ readonly labels: Labels; readonly value: number }>,
  zeros: 'left out' | 'told' = 'left out',
): Sample[] {
  const sums = new Map<string, { labels: Labels; value: number }>();
  for (const { labels, value } of values) {
    if (value === 0 && zeros === 'left out') continue;
    const id = JSON.stringify(labels);
    const known = sums.get(id);
    if (known === undefined) sums.set(id, { labels, value });
    else known.value += value;
  }
  return [...sums.values()];
}
