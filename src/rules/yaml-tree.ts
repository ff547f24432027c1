import {
  MAX_YAML_DEPTH,
  type YamlAlias,
  YamlError,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
} from './yaml-reader.ts';
import { resolve } from './yaml-scalar.ts';

const MERGE_TAG = 'tag:yaml.org,2002:merge';

/** The node itself, or what an alias stands for. */
export function real(node: YamlNode): YamlScalar | YamlMap | Exclude<YamlNode, YamlAlias> {
  let found = node;
  while (found.kind === 'alias') found = found.target;
  return found;
}

function isMerge(key: YamlNode): boolean {
  return key.kind === 'scalar' && key.text === '<<' && (key.plain || key.tag === MERGE_TAG);
}

/**
 * Every key and value of a map in the order in which go-yaml v2 sets them: what is merged with `<<` comes at its place,
 * so a later one wins over the keys above it, and of a list of maps the first wins.
 */
export function forEachPair(map: YamlMap, visit: (key: YamlNode, value: YamlNode) => void): void {
  for (let i = 0; i < map.pairs.length; i += 2) {
    const key = map.pairs[i]!;
    const value = map.pairs[i + 1]!;
    if (isMerge(key)) for (const merged of mergedMaps(value)) forEachPair(merged, visit);
    else visit(key, value);
  }
}

function mergedMaps(value: YamlNode): YamlMap[] {
  const given = value.kind === 'list' ? [...value.items].reverse() : [value];
  return given.map((node) => {
    const target = node.kind === 'alias' ? node.target : node;
    if (target.kind !== 'map') throw new YamlError("'<<' takes a map or a list of maps", node.at);
    return target;
  });
}

/**
 * What no decoder could read: a list as a key, a tag that does not fit, an alias inside of what it stands for, aliases
 * that multiply (the bounds are go-yaml's). Throws YamlError; afterwards the tree may be walked freely.
 */
export function checkTree(root: YamlNode): void {
  const inside = new Set<YamlAlias>();
  let seen = 0;
  let aliased = 0;
  const walk = (node: YamlNode, depth: number): void => {
    seen++;
    if (inside.size > 0) aliased++;
    if (aliased > 100 && seen > 1000 && aliased / seen > allowedAliases(seen)) {
      throw new YamlError('aliases (*name) multiply this file beyond measure', node.at);
    }
    if (depth > 2 * MAX_YAML_DEPTH) throw new YamlError(`nested deeper than ${MAX_YAML_DEPTH} levels`, node.at);
    switch (node.kind) {
      case 'scalar':
        resolve(node);
        return;
      case 'alias':
        if (inside.has(node)) throw new YamlError('this alias stands inside of what it stands for', node.at);
        inside.add(node);
        walk(node.target, depth + 1);
        inside.delete(node);
        return;
      case 'list':
        for (const item of node.items) walk(item, depth + 1);
        return;
      case 'map':
        for (let i = 0; i < node.pairs.length; i += 2) {
          const key = node.pairs[i]!;
          const value = node.pairs[i + 1]!;
          if (isMerge(key)) mergedMaps(value);
          else {
            walk(key, depth + 1);
            if (real(key).kind !== 'scalar') throw new YamlError('a key is a text, not a list or a map', key.at);
          }
          walk(value, depth + 1);
        }
    }
  };
  walk(root, 0);
}

/** Up to 400,000 nodes nearly all may come from aliases, from 4,000,000 on a tenth. */
function allowedAliases(seen: number): number {
  const share = (seen - 400_000) / 3_600_000;
  return 0.99 - 0.89 * Math.min(Math.max(share, 0), 1);
}
