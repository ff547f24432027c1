import { posix } from 'node:path';
import { files, read } from '../house/tree.ts';

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  /** Of its first line inside the fence, from 1. */
  readonly line: number;
  /** '' when the fence names none. */
  readonly language: string;
  readonly text: string;
  /** The name of a file, when its first line is a comment of one: it is to be put there. */
  readonly file: string | null;
}

/** The pages that people read first: the front page and all of docs. */
export const PAGES: readonly string[] = ['README.md', 'SECURITY.md', ...files(/^docs\/.*\.md$/)];

/** One within a list is indented. */
const FENCE = /^( *)```(\w*)\n([\s\S]*?)^\1```$/gm;

export function blocksOf(page: string): readonly Block[] {
  const markdown = read(page);
  return [...markdown.matchAll(FENCE)].map(({ 1: indent = '', 2: language = '', 3: indented = '', index }) => {
    const text = indent === '' ? indented : indented.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
    const file = /^# (\S+\.\w+)\n/.exec(text)?.[1] ?? null;
    return { page, line: markdown.slice(0, index).split('\n').length + 1, language, text, file };
  });
}

export const isRules = ({ language, text }: Block): boolean =>
  language === 'yaml' && /^domain:/m.test(text) && !/^cases:/m.test(text);
export const isCases = ({ language, text }: Block): boolean => language === 'yaml' && /^cases:/m.test(text);

/** The value of `domain:` at the left edge. */
export const domainOf = ({ text }: Block): string => /^domain: (\S+)$/m.exec(text)?.[1] ?? '';

/** What a page links to, without what leads out of the project. `#heading` alone is of the page itself. */
export function linksOf(page: string): readonly { readonly path: string; readonly anchor: string }[] {
  const prose = read(page)
    .replace(FENCE, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#');
      return { path: path === '' ? page : posix.join(posix.dirname(page), path), anchor };
    });
}

/** The names by which headings can be linked to, as GitHub makes them. */
export function anchorsOf(page: string): readonly string[] {
  const prose = read(page).replace(FENCE, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
