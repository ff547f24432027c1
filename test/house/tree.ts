import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Paths of what git has or would take, from the root of the project. */
export function files(pattern = /./): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  const paths = listed.split('\n').filter((path) => path !== '' && pattern.test(path) && existsSync(join(ROOT, path)));
  return [...new Set(paths)].sort();
}

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const STRING_OR_COMMENT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** The text without its comments. Lines keep their numbers. */
export function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (found) => (found.startsWith('/') ? found.replace(/[^\n]/g, '') : found));
}

/** The text without comments, and with quoted strings emptied. Templates stay: they hold code. */
export function codeOnly(text: string): string {
  return withoutComments(text).replace(STRING_OR_COMMENT, (found) => (found.startsWith('`') ? found : "''"));
}

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const IMPORT = /^\s*(?:import|export)\s+(type\s)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC_IMPORT = /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;

export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  return [
    ...[...code.matchAll(IMPORT)].map(([, type, specifier]) => ({ specifier: specifier!, typeOnly: Boolean(type) })),
    ...[...code.matchAll(DYNAMIC_IMPORT)].map(([, specifier]) => ({ specifier: specifier!, typeOnly: false })),
  ];
}

/** `path:line: text` of every line of the text that fits. */
export function linesWith(path: string, text: string, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []));
}
