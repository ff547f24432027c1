import type { Buckets } from '../buckets.ts';
import type { Family, Labels, Sample } from '../exposition.ts';
import type { Stat } from '../stats.ts';
import type { Mapper, Place } from './mapper.ts';

const US_PER_MS = 1_000;
const HELP = 'Metric made by PROMETHEUS_MAPPER_YAML';

interface Gathered {
  readonly type: Family['type'];
  readonly help: string;
  /** By name and labels. */
  readonly samples: Map<string, { metricName: string; labels: Labels; value: number }>;
}

export interface MappedOptions {
  readonly mapper: Mapper;
  /** EXTRA_TAGS: added to every series by whoever tells it, here only for `honor_labels`. */
  readonly tags: Labels;
  /** Two mappings give one name to stats of two kinds; the second is left out. */
  readonly onConflict: (name: string) => void;
}

/** The families that a mapping file makes of stats. What comes to the same name and labels is added up. */
export function mappedFamilies(stats: Iterable<Stat>, { mapper, tags, onConflict }: MappedOptions): Family[] {
  const families = new Map<string, Gathered>();

  function gathered(place: Place, type: Family['type']): Gathered | null {
    const known = families.get(place.name);
    if (known === undefined) {
      const made = { type, help: place.mapping?.help || HELP, samples: new Map() };
      families.set(place.name, made);
      return made;
    }
    if (known.type === type) return known;
    onConflict(place.name);
    return null;
  }

  for (const stat of stats) {
    const place = mapper.place(stat.name, stat.kind === 'timer' ? 'observer' : stat.kind);
    if (place === null) continue;
    const labels = labelsOf(place, tags);
    const type = stat.kind !== 'timer' ? stat.kind : place.mapping?.bounds ? 'histogram' : 'summary';
    const into = gathered(place, type);
    if (into === null) continue;
    const samples =
      stat.kind === 'timer'
        ? timerSamples(place, stat.times, labels)
        : [{ metricName: place.name, labels, value: stat.value * (place.mapping?.scale ?? 1) }];
    for (const sample of samples) add(into, sample, stat.kind === 'gauge');
  }
  mapper.sweep();
  return [...families].map(([name, { type, help, samples }]) => ({
    name,
    help,
    type,
    aggregator: 'sum',
    values: [...samples.values()],
  }));
}

function labelsOf({ labels, mapping }: Place, tags: Labels): Labels {
  if (mapping?.honorLabels !== true) return labels;
  return Object.fromEntries(Object.entries(labels).map(([label, value]) => [label, tags[label] ?? value]));
}

function add({ samples }: Gathered, { metricName, labels, value }: Required<Sample>, isGauge: boolean): void {
  const id = `${metricName} ${JSON.stringify(labels)}`;
  const known = samples.get(id);
  if (known === undefined) samples.set(id, { metricName, labels, value });
  else known.value = isGauge ? value : known.value + value;
}

/**
 * The Go service hands milliseconds to its mapping, so that `scale: 0.001` makes seconds; statsd_exporter, which takes
 * them off the wire, makes seconds before that.
 */
function timerSamples({ name, mapping }: Place, times: Buckets, given: Labels): Required<Sample>[] {
  // Of a histogram and a summary these belong to the format: with a word of the file there, readers refuse the page.
  const { le: _, quantile: __, ...labels } = given;
  const scale = (mapping?.scale ?? 1) / US_PER_MS;
  const count = times.counts.reduce((sum, each) => sum + each, 0);
  const bounds = mapping?.bounds ?? null;
  const buckets = (bounds ?? []).map((bound) =>
    bucket(name, labels, String(bound), below(times, boundUs(bound, scale))),
  );
  return [
    ...buckets,
    ...(bounds === null ? [] : [bucket(name, labels, '+Inf', count)]),
    { metricName: `${name}_sum`, labels, value: times.sums.reduce((sum, each) => sum + each, 0) * scale },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

function bucket(name: string, labels: Labels, le: string, value: number): Required<Sample> {
  return { metricName: `${name}_bucket`, labels: { ...labels, le }, value };
}

function below({ bounds, counts }: Buckets, us: number): number {
  return bounds.reduce((sum, bound, at) => (bound <= us ? sum + counts[at]! : sum), 0);
}

/** Of all histograms that the file makes: with these among the bounds of what is measured, their buckets are exact. */
export function boundsUs({ mappings }: Pick<Mapper, 'mappings'>): number[] {
  return mappings
    .filter(({ kind, drop }) => !drop && (kind === null || kind === 'observer'))
    .flatMap(({ bounds, scale }) => (bounds ?? []).map((bound) => boundUs(bound, scale / US_PER_MS)));
}

/** Twelve digits: 0.005 / 0.001 is to be the same bound as 5. */
function boundUs(bound: number, scale: number): number {
  return Number((bound / scale).toPrecision(12));
}
