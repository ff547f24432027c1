import type { Mapping, MappingFile, StatKind } from './mapping-file.ts';

/** Where a stat is told. */
export interface Place {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly mapping: Mapping | null;
}

export interface Mapper {
  readonly mappings: readonly Mapping[];
  /** null: it is dropped. */
  place(name: string, kind: StatKind): Place | null;
  /** Forgets places that were not asked for since the last time, so that keys that come and go leave nothing behind. */
  sweep(): void;
}

interface Match {
  readonly mapping: Mapping;
  readonly fill: (template: string) => string;
}

/**
 * Finds the mapping of a stat as statsd_exporter does: the first glob that fits, else the first regular expression, else
 * the name itself with underscores.
 */
export function mapper({ mappings, unordered }: MappingFile): Mapper {
  const globs = mappings.filter(({ regex }) => regex === null).map((mapping) => globOf(mapping));
  if (unordered) globs.sort((a, b) => compare(a.rank, b.rank));
  const regexes = mappings.filter(({ regex }) => regex !== null);
  let known = new Map<string, Place | null>();
  let older = known;

  function find(name: string, kind: StatKind): Place | null {
    const match = globMatch(globs, name, kind) ?? regexMatch(regexes, name, kind);
    if (match === null) return { name: escaped(name), labels: {}, mapping: null };
    const { mapping, fill } = match;
    if (mapping.drop) return null;
    // An empty label is no label to Prometheus, so it must not make a second series.
    const labels = mapping.labels
      .map(([label, template]) => [label, fill(template)])
      .filter(([, value]) => value !== '');
    return { name: escaped(fill(mapping.name)), labels: Object.fromEntries(labels), mapping };
  }

  return {
    mappings,
    place(name, kind) {
      const key = `${kind} ${name}`;
      const found = known.get(key) ?? older.get(key);
      const place = found === undefined ? find(name, kind) : found;
      known.set(key, place);
      return place;
    },
    sweep() {
      older = known;
      known = new Map();
    },
  };
}

interface Glob {
  readonly mapping: Mapping;
  readonly parts: readonly string[];
  /** Sorts a word before a star, from left to right. */
  readonly rank: string;
}

function globOf(mapping: Mapping): Glob {
  const parts = mapping.match.split('.');
  return { mapping, parts, rank: parts.map((part) => (part === '*' ? '1' : '0')).join('') };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function fits(mapping: Mapping, kind: StatKind): boolean {
  return mapping.kind === null || mapping.kind === kind;
}

function globMatch(globs: readonly Glob[], name: string, kind: StatKind): Match | null {
  const parts = name.split('.');
  for (const glob of globs) {
    if (glob.parts.length !== parts.length || !fits(glob.mapping, kind)) continue;
    if (!glob.parts.every((part, at) => part === '*' || part === parts[at])) continue;
    const captures = [name, ...parts.filter((_, at) => glob.parts[at] === '*')];
    return {
      mapping: glob.mapping,
      fill: (template) => template.replace(/\$\{?([\w$]+)\}?/g, (_, index: string) => captures[Number(index)] ?? ''),
    };
  }
  return null;
}

function regexMatch(mappings: readonly Mapping[], name: string, kind: StatKind): Match | null {
  for (const mapping of mappings) {
    if (!fits(mapping, kind)) continue;
    const match = mapping.regex!.matcher(name);
    if (!match.find()) continue;
    const group = (index: string): string => {
      if (/^\d+$/.test(index)) return Number(index) <= match.groupCount() ? (match.group(Number(index)) ?? '') : '';
      return Object.hasOwn(mapping.regex!.namedGroups(), index) ? (match.group(index) ?? '') : '';
    };
    // As Go's Expand: `$$` is a dollar, and a name is as long as it can be.
    const fill = (template: string): string =>
      template.replace(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar, bare, braced) => dollar ?? group(bare ?? braced));
    return { mapping, fill };
  }
  return null;
}

function escaped(name: string): string {
  return name.replace(/^(?=\d)/, '_').replace(/[^a-zA-Z0-9_]/gu, '_');
}
