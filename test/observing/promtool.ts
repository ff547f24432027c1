import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Said {
  readonly status: number | null;
  readonly said: string;
}

export function promtool(words: readonly string[], cwd?: string): Said {
  const { status, stdout, stderr, error } = spawnSync('promtool', words, {
    encoding: 'utf8',
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error) throw error;
  return { status, said: `${stdout}${stderr}` };
}

/** What promtool says of expressions, as rules that record them. */
export function checkedByPromtool(queries: readonly string[]): Said {
  const dir = mkdtempSync(join(tmpdir(), 'weir-promtool-'));
  try {
    const rules = queries.map((expr, i) => ({ record: `query_${i}`, expr }));
    // JSON is YAML.
    writeFileSync(join(dir, 'rules.json'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    return promtool(['check', 'rules', 'rules.json'], dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
