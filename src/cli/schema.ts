import { rulesJsonSchema } from '../rules/json-schema.ts';
import type { Out } from './check.ts';

export const SCHEMA_HELP = `weir schema                      print a JSON Schema of the rules, for editors

  weir schema > rules.schema.json, and on top of a rules file:
  # yaml-language-server: $schema=rules.schema.json

Exit code: 0, or 2 when it was called wrongly.
`;

export async function schema(args: readonly string[], out: Out = process.stdout): Promise<number> {
  if (args.length > 0) {
    process.stderr.write(`weir schema: it takes no ${args[0]?.startsWith('-') ? 'flag' : 'argument'} ${args[0]}\n`);
    return 2;
  }
  out.write(`${JSON.stringify(rulesJsonSchema(), null, 2)}\n`);
  return 0;
}
