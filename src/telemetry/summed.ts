import { Registry } from 'prom-client';
import { Exposition, type Family, type Sample } from './exposition.ts';

/** What one process tells, as plain data. */
export type Told = readonly Family[];

type Combine = (a: number, b: number) => number;

/** By `aggregator`, prom-client's own words for what Node tells among them. */
const COMBINE: Readonly<Record<string, Combine>> = {
  sum: (a, b) => a + b,
  kept: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
  // Of lags: the mean of all would hide the one that is late.
  average: Math.max,
  first: (a) => a,
  // When the process began: that of the first, who started the others.
  omit: (a) => a,
};

/** Series of processes that have ended; what goes beyond is forgotten. */
const MAX_REMAINS = 100_000;

/** What several processes tell, as one. */
export function summed(reports: Iterable<Told>): Family[] {
  const families = new Map<string, { readonly family: Family; readonly samples: Map<string, Sample> }>();
  for (const report of reports) {
    for (const family of report) {
      const known = families.get(family.name);
      const { samples } = known ?? { samples: new Map<string, Sample>() };
      if (known === undefined) families.set(family.name, { family, samples });
      const combine = COMBINE[family.aggregator] ?? COMBINE.sum!;
      for (const sample of family.values) {
        const series = seriesOf(sample);
        const before = samples.get(series);
        samples.set(series, before === undefined ? sample : { ...sample, value: combine(before.value, sample.value) });
      }
    }
  }
  return [...families.values()].map(({ family, samples }) => ({ ...family, values: [...samples.values()] }));
}

/** What processes that have ended had counted: without it a counter would fall, which Prometheus takes for a restart. */
export interface Remains {
  add(report: Told): void;
  readonly told: Told;
}

export function remains(maxSeries: number = MAX_REMAINS): Remains {
  let told: Told = [];
  return {
    add(report) {
      const sums = summed([told, report.filter(onlyGrows)]);
      let room = maxSeries;
      told = sums.map((family) => {
        const values = family.values.slice(0, Math.max(0, room));
        room -= values.length;
        return { ...family, values };
      });
    },
    get told() {
      return told;
    },
  };
}

/** All that a registry tells, as data that another process can take. */
export async function toldBy(registry: Registry): Promise<Told> {
  const families = (await registry.getMetricsAsJSON()) as unknown as Told;
  return families.map(({ name, help, type, aggregator, values }) => ({ name, help, type, aggregator, values }));
}

/** As a page. */
export function exposed(told: readonly Family[]): Promise<string> {
  return new Exposition(() => told, new Registry()).metrics();
}

function onlyGrows({ type, aggregator }: Family): boolean {
  return type !== 'gauge' || aggregator === 'kept';
}

/** Labels are in one order in every process, as the same code made them. */
function seriesOf({ metricName = '', labels }: Sample): string {
  return `${metricName} ${JSON.stringify(labels)}`;
}
