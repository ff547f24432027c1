import { RE2JS } from 're2js';
import { parseDocument } from 'yaml';

export type StatKind = 'counter' | 'gauge' | 'observer';

/** One mapping of a file in statsd_exporter's format, with the defaults of the file filled in. */
export interface Mapping {
  readonly match: string;
  /** null: `match` is a glob, in which `*` stands for one component between dots. */
  readonly regex: RE2JS | null;
  /** null: of any kind. */
  readonly kind: StatKind | null;
  readonly drop: boolean;
  /** With `$1` or `${1}` for what was matched. */
  readonly name: string;
  readonly labels: readonly (readonly [label: string, template: string])[];
  /** A tag wins over a label of the same name. */
  readonly honorLabels: boolean;
  readonly scale: number;
  /** Upper bounds of a histogram, ascending; null: a summary. */
  readonly bounds: readonly number[] | null;
  readonly help: string;
}

export interface MappingFile {
  readonly mappings: readonly Mapping[];
  /** The most specific glob wins, not the first. */
  readonly unordered: boolean;
  /** Keys that no version of statsd_exporter knows. */
  readonly warnings: readonly string[];
}

const DEFAULT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const TEMPLATE = String.raw`\$(?:\d+|\{\d+\})`;
const METRIC_NAME = new RegExp(`^(?:[a-zA-Z_]|${TEMPLATE})(?:\\w|${TEMPLATE})*$`);
const GLOB = /^(?:\*|[a-zA-Z_][\w-]*)(?:\.(?:\*|\w[\w-]*))*$/;
const LABEL = /^[a-zA-Z_]\w*$/;

const OPTIONS = ['observer_type', 'timer_type', 'match_type', 'ttl', 'buckets', 'quantiles'];
const OF_DEFAULTS = [...OPTIONS, 'glob_disable_ordering', 'summary_options', 'histogram_options'];
const OF_MAPPING = [
  ...OPTIONS,
  ...['match', 'name', 'labels', 'honor_labels', 'help', 'action', 'match_metric_type', 'scale'],
  ...['summary_options', 'histogram_options'],
];

type Fields = Readonly<Record<string, unknown>>;

/** Reads the text of a mapping file. Throws an Error with a line for each mistake. */
export function readMappings(text: string): MappingFile {
  const document = parseDocument(text);
  const wrong = document.errors.map(({ message }) => message.split('\n', 1)[0]!);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  const warnings: string[] = [];
  const root: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};

  function fieldsOf(value: unknown, where: string, known: readonly string[]): Fields | null {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) {
      wrong.push(`${where}: expected a map`);
      return null;
    }
    for (const key of Object.keys(value)) if (!known.includes(key)) warnings.push(`${where}: there is no key '${key}'`);
    return value as Fields;
  }

  const { defaults, mappings } = fieldsOf(root, 'the file', ['defaults', 'mappings']) ?? {};
  const fallback = fieldsOf(defaults, 'defaults', OF_DEFAULTS) ?? {};
  if (mappings !== undefined && mappings !== null && !Array.isArray(mappings)) wrong.push('mappings: expected a list');
  const read = (Array.isArray(mappings) ? mappings : []).flatMap((each: unknown, at) => {
    const where = `mapping ${at + 1}`;
    const fields = fieldsOf(each, where, OF_MAPPING);
    try {
      return fields === null ? [] : [mappingOf(fields, fallback)];
    } catch (error) {
      wrong.push(`${where}: ${(error as Error).message}`);
      return [];
    }
  });
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  return { mappings: read, unordered: fallback.glob_disable_ordering === true, warnings };
}

function mappingOf(fields: Fields, fallback: Fields): Mapping {
  const { match, name, labels = {}, help = '', scale = 1 } = fields;
  if (typeof match !== 'string') throw new Error('match is missing');
  const action = oneOf('action', fields.action, 'map', 'drop');
  const regex = oneOf('match_type', fields.match_type ?? fallback.match_type, 'glob', 'regex') === 'regex';
  if (!regex && !GLOB.test(match)) throw new Error(`'${match}' is not a glob: words and stars between dots`);
  if (typeof name !== 'string' ? action === 'map' : !METRIC_NAME.test(name)) {
    throw new Error(typeof name === 'string' ? `'${name}' is not the name of a metric` : 'name is missing');
  }
  if (typeof scale !== 'number' || !Number.isFinite(scale) || scale <= 0)
    throw new Error('scale: expected a number above 0');
  return {
    match,
    regex: regex ? compile(match) : null,
    kind: kindOf(fields.match_metric_type),
    drop: action === 'drop',
    name: String(name ?? ''),
    labels: labelsOf(labels),
    honorLabels: fields.honor_labels === true,
    scale,
    bounds: boundsOf(fields, fallback),
    help: String(help),
  };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(`'${pattern}' is not a regular expression: ${(error as Error).message}`);
  }
}

function kindOf(value: unknown): StatKind | null {
  if (value === undefined || value === null || value === '') return null;
  const kind = oneOf('match_metric_type', value, 'counter', 'gauge', 'observer', 'timer');
  return kind === 'timer' ? 'observer' : kind;
}

function labelsOf(labels: unknown): Mapping['labels'] {
  if (labels === null) return [];
  if (typeof labels !== 'object' || Array.isArray(labels)) throw new Error('labels: expected a map');
  return Object.entries(labels as object).map(([label, template]) => {
    if (!LABEL.test(label)) throw new Error(`'${label}' is not the name of a label`);
    if (label.startsWith('__')) throw new Error(`'${label}': Prometheus keeps labels that begin with __ for itself`);
    return [label, String(template ?? '')];
  });
}

/** `timer_type`, `buckets` and `quantiles` are the older names, which the Go service's own files use. */
function boundsOf(fields: Fields, fallback: Fields): readonly number[] | null {
  const type = fields.observer_type ?? fields.timer_type ?? fallback.observer_type ?? fallback.timer_type;
  if (oneOf('observer_type', type, 'summary', 'histogram') === 'summary') return null;
  const given = [fields, fallback].map((of) => (of.histogram_options as Fields | null)?.buckets ?? of.buckets);
  const bounds = given.find((each) => Array.isArray(each) && each.length > 0) ?? DEFAULT_BOUNDS;
  const numbers = bounds as readonly unknown[];
  if (!numbers.every((it, at) => typeof it === 'number' && (at === 0 || it > (numbers[at - 1] as number)))) {
    throw new Error('buckets: expected ascending numbers');
  }
  return (numbers as readonly number[]).filter(Number.isFinite);
}

/** The first word is what an absent or empty value stands for. */
function oneOf<const Word extends string>(key: string, value: unknown, ...words: readonly Word[]): Word {
  if (value === undefined || value === null || value === '') return words[0]!;
  const found = words.find((word) => word === value);
  if (found === undefined) throw new Error(`${key}: expected one of ${words.join(', ')}`);
  return found;
}
