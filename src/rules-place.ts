import type { FileSourceOptions } from './rules/file-source.ts';
import { runtimeFiles } from './rules/file-source.ts';
import type { ReadSettings } from './settings/read-settings.ts';

export interface RulesPlace {
  /** null: they come over xDS. */
  readonly files: FileSourceOptions | null;
  /** For the start line: where the rules are, and which setting said so. */
  readonly from: string;
}

const RUNTIME = ['runtimeRoot', 'runtimeSubdirectory', 'runtimeAppdirectory'] as const;

/**
 * CONFIG_TYPE=GRPC_XDS_SOTW beats all files. `--rules` beats RULES, and either beats the RUNTIME_* names, unless those are
 * flags and RULES is not.
 */
export function rulesPlace({ settings, sources }: Pick<ReadSettings, 'settings' | 'sources'>): RulesPlace {
  if (settings.configType === 'GRPC_XDS_SOTW') return { files: null, from: `${settings.xdsServer} (CONFIG_TYPE)` };
  const { rules, runtimeIgnoreDotFiles: ignoreDotFiles } = settings;
  const runtimeByFlag = RUNTIME.some((name) => sources[name] === 'flag');
  if (rules !== null && (sources.rules === 'flag' || !runtimeByFlag)) {
    const said = sources.rules === 'flag' ? '--rules' : 'RULES';
    return { files: { path: rules, ignoreDotFiles: true }, from: `${rules} (${said})` };
  }
  const files = runtimeFiles({
    root: settings.runtimeRoot,
    subdirectory: settings.runtimeSubdirectory,
    appDirectory: settings.runtimeAppdirectory,
    watchRoot: settings.runtimeWatchRoot,
    ignoreDotFiles,
  });
  const said = RUNTIME.every((name) => sources[name] === 'default') ? 'default of RUNTIME_ROOT' : 'RUNTIME_*';
  return { files, from: `${files.path} (${said})` };
}
