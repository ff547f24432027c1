import { formatProblems } from '../rules/problem.ts';
import { rulesSet } from './rules-set.ts';

/** Where a command writes. */
export interface Out {
  write(text: string): unknown;
}

export interface CheckOptions {
  /** Files of one domain add up. The flag `--merge-domain-config` says the same. */
  readonly mergeDomains?: boolean;
  readonly out?: Out;
  readonly err?: Out;
}

export const CHECK_HELP = `weir check PATH...               say what is wrong with rules

  PATH is a rules file, or a directory of them; all paths together are one set.
  --merge-domain-config             files of one domain add up, in the order of their names

Exit code: 0 all is well, 1 there are problems, 2 it was called wrongly.
`;

const MERGE_FLAGS = ['--merge-domain-config', '--merge-domain-configs'];

/**
 * Says what is wrong with rules before they are served. Each path is a file or a directory; all of them make one set.
 * Answers the exit code: 0 all is well, 1 there are problems, 2 it was called wrongly.
 */
export async function check(args: readonly string[], options: CheckOptions = {}): Promise<number> {
  const { out = process.stdout, err = process.stderr } = options;
  const paths = args.filter((arg) => !arg.startsWith('--'));
  const unknown = args.find((arg) => arg.startsWith('--') && !MERGE_FLAGS.includes(arg));
  if (unknown !== undefined || paths.length === 0) {
    err.write(`weir check: ${unknown === undefined ? 'a path is missing' : `there is no flag ${unknown}`}\n`);
    return 2;
  }
  const mergeDomains = options.mergeDomains === true || args.some((arg) => MERGE_FLAGS.includes(arg));
  const compiled = await rulesSet(paths, mergeDomains);
  if (!compiled.ok) {
    err.write(`${formatProblems(compiled.problems)}\n`);
    err.write(`${count(compiled.problems.length, 'problem')} in ${paths.join(', ')}\n`);
    return 1;
  }
  const { domains, rules } = compiled.ruleset;
  out.write(`all rate limit configs ok: ${count(rules.length, 'rule')} in ${count(domains.size, 'domain')}\n`);
  return 0;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
