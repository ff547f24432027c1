import type { LoadReport } from '../../src/core/ports.ts';
import { type RulesLoader, rulesLoader } from '../../src/rules/loader.ts';
import { type XdsOptions, type XdsSource, xdsSource } from '../../src/xds/xds-source.ts';

export interface StartedSource {
  readonly source: XdsSource;
  readonly loader: RulesLoader;
  readonly reports: readonly LoadReport[];
  /** Why streams ended. */
  readonly losses: readonly string[];
}

/** A loader whose rules come from `server`. Started before it is returned. */
export async function startedSource(server: string, options: Partial<XdsOptions> = {}): Promise<StartedSource> {
  const losses: string[] = [];
  const reports: LoadReport[] = [];
  const source = xdsSource({
    server,
    tls: null,
    maxMessageBytes: 4_194_304,
    node: { id: 'weir-test', metadata: {} },
    headers: {},
    backoff: { retryMs: 100, initialMs: 100, maxMs: 200, jitter: 0 },
    version: '1',
    random: () => 0.5,
    onConnected: () => {},
    onDisconnected: (because) => losses.push(because),
    ...options,
  });
  const observer = { rulesLoaded: (report: LoadReport) => void reports.push(report) };
  const loader = rulesLoader({ source, mergeDomains: false, observer });
  await loader.start();
  return { source, loader, reports, losses };
}
