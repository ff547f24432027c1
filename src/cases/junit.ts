import type { CaseResult } from './run-cases.ts';

/** The results in the XML that CI systems read (JUnit's, as Surefire writes it). One suite for each file. */
export function junit(results: readonly CaseResult[]): string {
  const files = [...new Set(results.map(({ file }) => file))];
  const suites = files.map((file) =>
    suite(
      file,
      results.filter((each) => each.file === file),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`;
}

function suite(file: string, results: readonly CaseResult[]): string {
  const failures = results.filter(({ difference }) => difference !== null).length;
  const head = `name="${escaped(file)}" tests="${results.length}" failures="${failures}" errors="0" skipped="0"`;
  return `  <testsuite ${head}>\n${results.map(testcase).join('')}  </testsuite>\n`;
}

function testcase({ file, name, line, difference }: CaseResult): string {
  const head = `    <testcase classname="${escaped(file)}" name="${escaped(name)}" file="${escaped(file)}" line="${line}"`;
  if (difference === null) return `${head}/>\n`;
  const message = escaped(difference.lines[0] ?? '');
  const text = escaped([`${file}:${difference.line}: ${difference.asked}`, ...difference.lines].join('\n'));
  return `${head}>\n      <failure message="${message}">${text}</failure>\n    </testcase>\n`;
}

const NAMES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** What XML 1.0 can't hold becomes U+FFFD. */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
      .replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd')
      .replaceAll(/[&<>"]/g, (mark) => NAMES[mark] as string)
  );
}
