import { bool, inGroup, optionalText, setting, text } from '../setting.ts';

export const RULES = inGroup('Rules', {
  rules: setting('RULES', 'path', '', optionalText, 'A rules file or a directory of them. Beats the RUNTIME_* names.'),
  runtimeRoot: setting('RUNTIME_ROOT', 'path', '/srv/runtime_data/current', text, 'Root of the runtime directory.'),
  runtimeSubdirectory: setting('RUNTIME_SUBDIRECTORY', 'path', '', text, 'Directory below the root.'),
  runtimeAppdirectory: setting('RUNTIME_APPDIRECTORY', 'name', 'config', text, 'Directory of the rules below that.'),
  runtimeIgnoreDotFiles: bool(
    'RUNTIME_IGNOREDOTFILES',
    false,
    'Leave out files and directories that start with a dot.',
  ),
  runtimeWatchRoot: bool('RUNTIME_WATCH_ROOT', true, 'Read keys that start with the app directory below the root.'),
  mergeDomains: bool('MERGE_DOMAIN_CONFIG', false, 'Let several files add rules to one domain, in name order.'),
  forceStart: bool('FORCE_START_WITHOUT_INITIAL_CONFIG', false, '/healthcheck does not wait for rules.'),
  healthyWithConfig: bool(
    'HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED',
    false,
    '/healthcheck fails on a set without domains.',
  ),
});
