import type { Problem, RulesDocument } from '../core/ports.ts';
import { type Compiled, compile } from '../rules/compile.ts';
import { readRulesFiles } from '../rules/rules-files.ts';

/** The set that all these paths make together. Each is a file or a directory; problems name them as they were given. */
export async function rulesSet(paths: readonly string[], mergeDomains: boolean): Promise<Compiled> {
  const documents: RulesDocument[] = [];
  const problems: Problem[] = [];
  for (const path of new Set(paths)) {
    const read = await readRulesFiles({ path, ignoreDotFiles: true, wholePaths: true });
    if (read.ok) documents.push(...read.documents);
    else problems.push(...read.problems);
  }
  const compiled = compile(documents, { mergeDomains, generation: 1 });
  if (problems.length === 0) return compiled;
  return { ok: false, problems: compiled.ok ? problems : [...problems, ...compiled.problems] };
}
