import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('./RESULTS.md', import.meta.url));
const MEGABYTE = 1_000_000;

const figures: string[] = [];

/** Prints a figure, and keeps it for RESULTS.md. */
export function figure(what: string, value: number | string): void {
  const text = typeof value === 'number' ? value.toLocaleString('en') : value;
  console.log(`      ${what}: ${text}`);
  figures.push(`| ${what} | ${text} |`);
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}

/** Called when all figures are there. */
export function writeResults(): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  const [cpu] = cpus();
  const machine = `Node ${process.version}, ${cpus().length} x ${cpu?.model}`;
  writeFileSync(
    FILE,
    `# What weir keeps when it runs for long

Made by \`make soak\`. Commit ${commit.trim()}, ${new Date().toISOString().slice(0, 10)}, ${machine}.

RSS is the resident memory of the process as the system tells it. \`make soak\` also sends 100,000 random requests
(test/edge) and tries each law 10,000 times (test/laws).

| what | figure |
|---|---|
${figures.join('\n')}
`,
  );
}
