import type { Registry } from 'prom-client';
import type { Family, Labels, Sample } from './exposition.ts';

/**
 * What one process tells, as data that is small on its way to another: of each family what stands on its lines behind the
 * name, such as `_sum{method="x"}`, and the values, one for one.
 */
export type Told = readonly ToldFamily[];

export interface ToldFamily extends Omit<Family, 'values'> {
  readonly series: readonly string[];
  readonly values: readonly number[];
}

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
/** Of a sum of doubles, which have nearly 16. */
const EXACT_DIGITS = 14;
const ESCAPED = /[\\\n"]/;

/** What several processes tell, as one. */
export function summed(reports: Iterable<Told>): ToldFamily[] {
  const families = new Map<string, { readonly family: ToldFamily; readonly sums: Map<string, number> }>();
  for (const report of reports) {
    for (const family of report) {
      const known = families.get(family.name);
      const sums = known?.sums ?? new Map<string, number>();
      if (known === undefined) families.set(family.name, { family, sums });
      const combine = COMBINE[family.aggregator] ?? COMBINE.sum!;
      family.series.forEach((series, at) => {
        const before = sums.get(series);
        const value = family.values[at]!;
        sums.set(series, before === undefined ? value : combine(before, value));
      });
    }
  }
  return [...families.values()].map(({ family, sums }) => ({
    ...family,
    series: [...sums.keys()],
    values: [...sums.values()].map(settled),
  }));
}

/** The same in whatever order it was added up: a sum of seconds that falls by its last digit is a restart to Prometheus. */
function settled(sum: number): number {
  return Number.isInteger(sum) ? sum : Number(sum.toPrecision(EXACT_DIGITS));
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
      told = sums.map(({ series, values, ...family }) => {
        const kept = Math.min(series.length, room);
        room -= kept;
        return { ...family, series: series.slice(0, kept), values: values.slice(0, kept) };
      });
    },
    get told() {
      return told;
    },
  };
}

/** All that a registry tells. `tags` are its default labels, which prom-client would copy into each sample. */
export async function toldBy(registry: Registry, tags: Labels): Promise<Told> {
  const metrics = registry.getMetricsAsArray() as unknown as readonly { get(): Promise<Family> }[];
  const families = await Promise.all(metrics.map((metric) => metric.get()));
  const tagTexts = Object.entries(tags).map(([name, value]) => [name, labelText(name, value)] as const);
  return families.map(({ name, help, type, aggregator, values }) => ({
    name,
    help,
    type,
    aggregator,
    series: values.map((sample) => seriesOf(name, sample, tagTexts)),
    values: values.map(({ value }) => value),
  }));
}

/** As a page, as prom-client writes it. A family without samples is left out. */
export function exposed(told: Told): string {
  const texts = told
    .filter(({ series }) => series.length > 0)
    .map(({ name, help, type, series, values }) => {
      const lines = series.map((each, at) => `${name}${each} ${valueText(values[at]!)}`);
      return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
    });
  return texts.join('\n');
}

function onlyGrows({ type, aggregator }: ToldFamily): boolean {
  return type !== 'gauge' || aggregator === 'kept';
}

/** Labels are in one order in every process, as the same code made them. */
function seriesOf(
  family: string,
  { metricName = family, labels }: Sample,
  tags: readonly (readonly [string, string])[],
) {
  let text = '';
  for (const [name, value] of Object.entries(labels)) text += `,${labelText(name, value)}`;
  for (const [name, tag] of tags) if (!Object.hasOwn(labels, name)) text += `,${tag}`;
  return metricName.slice(family.length) + (text === '' ? '' : `{${text.slice(1)}}`);
}

/** Node's own families have numbers among their labels. */
function labelText(name: string, value: unknown): string {
  const text = String(value);
  return `${name}="${ESCAPED.test(text) ? escaped(text).replaceAll('"', '\\"') : text}"`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'Nan';
  return Number.isFinite(value) ? String(value) : value < 0 ? '-Inf' : '+Inf';
}
