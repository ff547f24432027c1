import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('RESULTS.md', import.meta.url));

const HEAD = `# What faults do to weir

Written by \`make soak\`: the tests of this folder at full size, on the machine they ran on. \`make test\` runs the same
tests at a small size and asserts order and counts only.
`;

/** The rows of a section are those of one run, in its order. */
const written = new Map<string, string[]>();

const TITLES: Readonly<Record<string, string>> = {
  '1': 'Redis stands still (SIGSTOP)',
  '2': 'Redis is killed and comes back (kill -9)',
  '3': 'A master behind sentinels is lost',
  '4': 'A cluster: many slots, a lost master, a slot that moves',
  '5': 'Broken answers',
  '7': 'Redis refuses',
};

/** Writes down a figure in `make soak`; does nothing else. */
export function results(section: string, line: string): void {
  if (process.env.SOAK !== '1') return;
  const lines = written.get(section) ?? [];
  lines.push(`- ${line}`);
  written.set(section, lines);
  const sections = readSections();
  sections.set(TITLES[section] ?? section, lines.join('\n'));
  const order = Object.values(TITLES).filter((title) => sections.has(title));
  writeFileSync(FILE, `${HEAD}\n${order.map((title) => `## ${title}\n\n${sections.get(title)}\n`).join('\n')}`);
}

function readSections(): Map<string, string> {
  if (!existsSync(FILE)) return new Map();
  const [, ...parts] = readFileSync(FILE, 'utf8').split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end).trim()];
    }),
  );
}
