import type { Problems, SourceText } from './problem.ts';
import { isKnownKey, nearestKey, rightLevelOf, SCHEMA, type SchemaLevel } from './schema.ts';
import type { YamlMap, YamlNode, YamlScalar } from './yaml-reader.ts';
import { goScalar, goText, resolve } from './yaml-scalar.ts';
import { forEachPair, real } from './yaml-tree.ts';

/** What the check of keys leaves for the reading of values. */
export interface KeyFindings {
  /** Values that have their problem already. */
  readonly bad: ReadonlySet<YamlNode>;
  /** Misspelled keys, and what was probably meant. Read as that, so that problems below them are found too. */
  readonly meant: ReadonlyMap<YamlNode, string>;
}

const LEVEL_BELOW: Readonly<Record<string, SchemaLevel>> = {
  descriptors: 'rule',
  rate_limit: 'rate_limit',
  rate_limits: 'rate_limits',
  replaces: 'replaces',
};

/**
 * The first look of the Go service at a file, before types matter: every key is a known text, every list is one of maps,
 * and every other value a text, a boolean, null or an integer of 63 bits. Metadata is not looked at.
 */
export function checkKeys(root: YamlMap, source: SourceText, problems: Problems): KeyFindings {
  const bad = new Set<YamlNode>();
  const meant = new Map<YamlNode, string>();
  const refuse = (node: YamlNode, message: string, hint = ''): void => {
    bad.add(node);
    problems.add(source, node.at, message, hint);
  };

  const checkMap = (map: YamlMap, level: SchemaLevel): void => {
    const pairs = lastOfEachKey(map);
    for (const [key, value] of pairs.values()) {
      if (problems.full) return;
      const name = checkKey(key, level, pairs);
      if (name === null || name === 'metadata') continue;
      checkValue(value, Object.hasOwn(LEVEL_BELOW, name) ? LEVEL_BELOW[name]! : level, name);
    }
  };

  /** The key, the one meant by it, or null when neither can be told. */
  const checkKey = (key: YamlNode, level: SchemaLevel, pairs: ReadonlyMap<string, unknown>): string | null => {
    const scalar = real(key) as YamlScalar;
    const right = rightLevelOf(scalar.text, level);
    if (right !== null) {
      refuse(key, `config error, unknown key '${scalar.text}' here`, `it is a key of the ${right}`);
      return null;
    }
    if (scalar.tag === '' && isKnownKey(scalar.text)) return scalar.text;
    const resolved = resolve(scalar);
    if (resolved.type !== 'text') {
      refuse(key, `config error, key is not of type string: ${goScalar(resolved)}`);
      return null;
    }
    if (isKnownKey(resolved.value)) return resolved.value;
    const near = nearestKey(resolved.value, level);
    refuse(key, `config error, unknown key '${resolved.value}'`, near === '' ? '' : `did you mean '${near}'?`);
    if (near === '' || pairs.has(near)) return null;
    meant.set(key, near);
    return near;
  };

  const checkValue = (value: YamlNode, level: SchemaLevel, name: string): void => {
    const found = real(value);
    if (found.kind === 'map') checkMap(found, level);
    else if (found.kind === 'list') {
      for (const item of found.items) {
        const map = real(item);
        if (problems.full) return;
        if (map.kind === 'map') checkMap(map, level);
        else refuse(item, `config error, yaml file contains list of type other than map: ${goText(item)}`);
      }
    } else if (found.kind === 'scalar') {
      const { type } = resolve(found);
      if (type === 'float' || type === 'uint') refuse(value, 'error checking config', numberHint(found.text, name));
    }
  };

  checkMap(root, 'file');
  return { bad, meant };
}

const COUNTS: ReadonlySet<string> = new Set(SCHEMA.filter(({ type }) => type === 'count').map(({ key }) => key));

function numberHint(text: string, key: string): string {
  return COUNTS.has(key) ? 'it takes a whole number' : `quote it if it is a text: "${text}"`;
}

/** Of a key that is written twice only the last counts. Known keys are known by their text. */
function lastOfEachKey(map: YamlMap): Map<string, readonly [key: YamlNode, value: YamlNode]> {
  const pairs = new Map<string, readonly [YamlNode, YamlNode]>();
  forEachPair(map, (key, value) => {
    const scalar = real(key) as YamlScalar;
    const resolved = isKnownKey(scalar.text) ? null : resolve(scalar);
    const name = resolved === null || resolved.type === 'text' ? scalar.text : `${resolved.type} ${goScalar(resolved)}`;
    pairs.set(name, [key, value]);
  });
  return pairs;
}
