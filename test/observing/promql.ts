import { FAMILIES } from '../../src/telemetry/families.ts';
import { processMetrics } from '../../src/telemetry/process-metrics.ts';

/** Labels that a scrape gives. */
const OF_TARGETS = ['namespace', 'job', 'instance'];

/** Every series that Prometheus has of a weir, or makes itself, and its labels. */
export const SERIES: ReadonlyMap<string, readonly string[]> = new Map(
  [
    ...Object.values(FAMILIES).flatMap(({ name, type, labels }) => named(name, type, labels)),
    ...processSeries(),
    ['up', []] as const,
  ].map(([name, labels]) => [name, [...labels, ...OF_TARGETS]]),
);

export interface Selector {
  readonly name: string;
  readonly labels: readonly string[];
}

const QUOTED = /"[^"]*"|'[^']*'/g;
const GROUPED = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const WORDS = ['and', 'or', 'unless', 'offset', 'bool'];

/** The series that an expression reads, and the labels that it asks of each. */
export function selectorsOf(expr: string): Selector[] {
  const bare = expr
    .replace(QUOTED, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(GROUPED, '');
  return [...bare.matchAll(/(?<![\w:.$])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()(?:\{([^}]*)\})?/g)]
    .map(([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label!),
    }))
    .filter(({ name }) => !WORDS.includes(name));
}

/** The labels that an expression groups or joins by. */
export function groupingLabels(expr: string): string[] {
  return [...expr.matchAll(GROUPED)].flatMap(([, list = '']) => list.split(',').map((it) => it.trim()));
}

/** What an expression asks for that no series of `known` has, as words. */
export function unknownIn(expr: string, known: ReadonlyMap<string, readonly string[]> = SERIES): string[] {
  const selectors = selectorsOf(expr);
  const there = new Set(selectors.flatMap(({ name }) => known.get(name) ?? []));
  return [
    ...selectors.flatMap(({ name, labels }) => {
      const has = known.get(name);
      if (has === undefined) return [name];
      return labels.filter((label) => !has.includes(label)).map((label) => `${name}{${label}}`);
    }),
    ...groupingLabels(expr).filter((label) => !there.has(label)),
  ];
}

function named(name: string, type: string, labels: readonly string[]): (readonly [string, readonly string[]])[] {
  if (type !== 'histogram') return [[name, labels]];
  return [
    [`${name}_bucket`, [...labels, 'le']],
    [`${name}_sum`, labels],
    [`${name}_count`, labels],
  ];
}

function processSeries(): (readonly [string, readonly string[]])[] {
  return processMetrics()
    .getMetricsAsArray()
    .map(({ name }) => [name, []]);
}
