import type { RulesDocument } from '../core/ports.ts';
import type { Json, JsonObject } from '../core/ruleset.ts';
import type { SourceText } from './problem.ts';
import type { YamlMap, YamlNode } from './yaml-reader.ts';

export interface ReadResource {
  readonly root: YamlNode;
  readonly source: SourceText;
}

const MAX_PATH = 200;

/**
 * The tree of a resource, as `readYaml` makes it of a file. Nobody wrote lines here, so an offset is the number of a rule,
 * and a problem names the resource and the path of the rule: `basic: example.key1_value1`.
 */
export function readResource({ name, text }: RulesDocument): ReadResource {
  const paths: string[] = [];

  function mapOf(map: JsonObject, path: string): YamlMap {
    const at = paths.push(path) - 1;
    const pairs = Object.entries(map).flatMap(([key, value]) => [
      nodeOf(key, at),
      key === 'descriptors' && Array.isArray(value)
        ? rulesOf(value as readonly JsonObject[], path, at)
        : nodeOf(value, at),
    ]);
    return { kind: 'map', at, pairs };
  }

  function rulesOf(rules: readonly JsonObject[], above: string, at: number): YamlNode {
    return { kind: 'list', at, items: rules.map((rule) => mapOf(rule, pathOf(above, rule))) };
  }

  const resource = JSON.parse(text) as JsonObject;
  const root = mapOf(resource, String(resource.domain ?? ''));
  const source: SourceText = {
    file: name,
    fileAt: (at) => placeIn(name, paths[at] ?? ''),
    place: () => ({ line: 0, column: 0 }),
    lineAt: () => '',
  };
  return { root, source };
}

/** What a problem names as its file. */
export function placeIn(resource: string, path: string): string {
  return path === '' ? resource : `${resource}: ${path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}...` : path}`;
}

/** The path of a rule below another, as the rules themselves have it. */
export function pathOf(
  above: string,
  { key = '', value = '' }: { readonly key?: Json; readonly value?: Json },
): string {
  return `${above}.${value === '' ? key : `${key}_${value}`}`;
}

function nodeOf(value: Json, at: number): YamlNode {
  if (value === null || typeof value !== 'object') {
    const text = value === null ? '' : String(value);
    return { kind: 'scalar', at, text, plain: typeof value !== 'string', tag: '' };
  }
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map((item) => nodeOf(item, at)) };
  const pairs = Object.entries(value).flatMap(([key, below]) => [nodeOf(key, at), nodeOf(below, at)]);
  return { kind: 'map', at, pairs };
}
