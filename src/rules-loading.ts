import type { Observer } from './core/ports.ts';
import { fileSource } from './rules/file-source.ts';
import { type RulesLoader, rulesLoader } from './rules/loader.ts';
import { rulesOverXds } from './rules-over-xds.ts';
import { rulesPlace } from './rules-place.ts';
import type { ReadSettings } from './settings/read-settings.ts';
import { valueHash } from './settings/value-hash.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Reads rules from where the settings say. Throws an Error with a sentence when they do not fit together. */
export function rulesLoading(
  read: ReadSettings,
  { measured, told, observer }: { readonly measured: Metrics; readonly told: Log; readonly observer: Observer },
): RulesLoader {
  const { settings } = read;
  const { files } = rulesPlace(read);
  return rulesLoader({
    source: files === null ? rulesOverXds(settings, measured, told) : fileSource(files),
    mergeDomains: settings.mergeDomains,
    canHash: valueHash(settings) !== null,
    observer,
  });
}
