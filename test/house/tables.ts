import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownWordsMarkdown } from '../../src/rules/resource.ts';
import { schemaMarkdown } from '../../src/rules/schema.ts';
import { goNamesTable } from '../../src/settings/go-names.ts';
import { settingsTable } from '../../src/settings/text.ts';
import { METRIC_HEADING, metricRows } from '../../src/telemetry/families.ts';
import { differencesTable } from '../oracle/differences.ts';
import { drawAll } from '../plots/draw.ts';
import { files, ROOT, read } from './tree.ts';

/** The pages that may hold tables. */
export const PAGES: readonly string[] = ['README.md', ...files(/^docs\/.*\.md$/)];

/** Their tables, each made of what the code itself uses. */
export const TABLES: Readonly<Record<string, () => string>> = {
  settings: settingsTable,
  'go-names': goNamesTable,
  metrics: () => [...METRIC_HEADING, ...metricRows()].join('\n'),
  'rule-keys': () => schemaMarkdown().join('\n'),
  'own-words': () => ownWordsMarkdown().join('\n'),
  differences: differencesTable,
  'cost-over-grpc': () => measured('test/bench/RESULTS.md', 'Over gRPC'),
  'cost-by-kind': () => measured('test/bench/RESULTS.md', 'By kind of limit'),
  'cost-in-process': () => measured('test/bench/RESULTS.md', 'In process'),
};

/** Who made the results, and the first table below a heading of theirs. */
function measured(path: string, heading: string): string {
  const results = read(path);
  const [made = ''] = /^Made by .*$/m.exec(results) ?? [];
  const [, below = ''] = results.split(`\n## ${heading}\n`);
  const [table] = /^\|.*(?:\n\|.*)*/m.exec(below) ?? [];
  if (table === undefined) throw new Error(`${path} has no table below ${heading}`);
  return `${made}\n\n${table}`;
}

const SECTION = /^<!-- table:([\w-]+) -->\n[\s\S]*?^<!-- \/table -->$/gm;

/** The names of the sections `<!-- table:name -->` to `<!-- /table -->`, in order. */
export const sectionsOf = (markdown: string): string[] => [...markdown.matchAll(SECTION)].map(([, name]) => name!);

/** The text with every section written anew. Throws for a name that has no table. */
export function withTables(markdown: string): string {
  return markdown.replace(SECTION, (_, name: string) => {
    const table = TABLES[name];
    if (!table) throw new Error(`a page has a section table:${name}, and there is no such table`);
    return `<!-- table:${name} -->\n\n${table().trim()}\n\n<!-- /table -->`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const page of PAGES) {
    const path = join(ROOT, page);
    const before = readFileSync(path, 'utf8');
    const after = withTables(before);
    if (after !== before) writeFileSync(path, after);
    const names = sectionsOf(after).join(', ');
    if (names) console.log(`${page}: ${names} ${after === before ? 'up to date' : 'written'}`);
  }
  await drawAll();
}
