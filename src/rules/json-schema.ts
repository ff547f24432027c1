import { SCHEMA, type SchemaKey, type SchemaLevel } from './schema.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

const MAX_COUNT = 4_294_967_295;

/** Texts may be written without quotes, so that a number or a boolean is one too. */
const TEXT: JsonSchema = { type: ['string', 'number', 'boolean'] };

/**
 * The rules as a JSON Schema (draft 2020-12), for editors. It says what may stand where; what only makes no sense together
 * is `weir check`'s to tell, and so it accepts a little more.
 */
export function rulesJsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Rules of weir',
    ...levelSchema('file'),
    $defs: {
      rule: { ...levelSchema('rule'), not: { required: ['rate_limit', 'rate_limits'] } },
      rate_limit: levelSchema('rate_limit'),
      rate_limits: levelSchema('rate_limits'),
      replaces: levelSchema('replaces'),
    },
  };
}

function levelSchema(level: SchemaLevel): JsonSchema {
  const keys = SCHEMA.filter(({ levels }) => levels.includes(level));
  const properties = Object.fromEntries(
    keys.map((known) => [known.key, { ...typeSchema(known), description: known.doc }]),
  );
  const required = keys.filter((known) => known.required).map(({ key }) => key);
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }), additionalProperties: false };
}

function typeSchema({ key, type, words }: SchemaKey): JsonSchema {
  switch (type) {
    case 'text':
      // Units may be written in capitals, as the Go service reads them.
      if (key === 'unit') return { enum: words.flatMap((word) => [word, word.toUpperCase()]) };
      return words.length > 0 ? { enum: words } : TEXT;
    case 'bool':
      return { type: 'boolean' };
    case 'count':
      return { type: 'integer', minimum: key === 'requests_per_unit' ? 0 : 1, maximum: MAX_COUNT };
    case 'rules':
      return { type: 'array', items: { $ref: '#/$defs/rule' } };
    case 'limit':
      return { $ref: '#/$defs/rate_limit' };
    case 'limits':
      return { type: 'array', items: { $ref: '#/$defs/rate_limits' }, minItems: 1 };
    case 'names':
      return { type: 'array', items: { $ref: '#/$defs/replaces' } };
    case 'free':
      return { type: 'object' };
  }
}
