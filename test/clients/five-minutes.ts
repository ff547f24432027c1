import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a README tells to do, as one script, and what it says comes of it. */
export interface FiveMinutes {
  readonly script: string;
  readonly shown: string;
}

/**
 * The section "Five minutes": `sh` blocks are run one after the other, `make run` aside; a block that begins with a
 * comment of a file's name is put there; the last `text` block is what is printed.
 */
export function fiveMinutes(dir: string): FiveMinutes {
  const readme = readFileSync(join(dir, 'README.md'), 'utf8');
  const [, section = ''] = /^## Five minutes\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme) ?? [];
  const steps: string[] = [];
  let shown = '';
  for (const [, language, text = ''] of section.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)) {
    const [, file] = /^(?:\/\/|#|<!--) (\S+\.\w+)(?: -->)?\n/.exec(text) ?? [];
    if (language === 'text') shown = text;
    else if (language === 'sh') steps.push(text.replace(/^make run.*\n/m, ''));
    else if (file) steps.push(`cat > ${file} <<'END OF FILE'\n${text}END OF FILE\n`);
  }
  return { script: steps.join('\n'), shown };
}

/** Seconds differ from run to run. */
export const withoutSeconds = (text: string): string => text.replace(/\d+ s$/gm, 'N s');
