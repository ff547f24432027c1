import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('./RESULTS.md', import.meta.url));
const MEGABYTE = 1_000_000;

const HEAD = `# What weir keeps when it runs for long

Made by \`make soak\`, each part by itself. RSS is the resident memory of the process as the system tells it.
\`make soak\` also sends 100,000 random requests (test/edge) and tries each law 10,000 times (test/laws).
`;

/** The figures of one part of the soak. */
export interface Results {
  /** Prints a figure, and keeps it. */
  figure(what: string, value: number | string): void;
  /** Called when all are there: they take the place of those of the last time. */
  write(): void;
}

export function results(part: string): Results {
  const figures: string[] = [];
  return {
    figure(what, value) {
      const text = typeof value === 'number' ? value.toLocaleString('en') : value;
      console.log(`      ${what}: ${text}`);
      figures.push(`| ${what} | ${text} |`);
    },
    write() {
      const [, ...before] = readFileSync(FILE, 'utf8').split(/^## /m);
      const parts = new Map(before.map((text) => [text.slice(0, text.indexOf('\n')), `## ${text.trim()}\n`]));
      parts.set(part, `## ${part}\n\n${made()}\n\n| what | figure |\n|---|---|\n${figures.join('\n')}\n`);
      writeFileSync(FILE, [HEAD, ...parts.values()].join('\n'));
    },
  };
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}

function made(): string {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd }).trim();
  const date = new Date().toISOString().slice(0, 10);
  return `Commit ${commit}, ${date}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}.`;
}
