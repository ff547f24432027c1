import type { Problem } from '../core/ports.ts';
import type { Rule } from '../core/ruleset.ts';
import { type HttpHandler, jsonReply, textReply } from './exchange.ts';
import { expositionHandler, type Scrapable } from './exposition-handler.ts';
import type { Profiles } from './profiles.ts';
import type { RulesHistory } from './rules-history.ts';

export interface AdminOptions {
  readonly rules: RulesHistory;
  readonly metrics: Scrapable;
  readonly profiles: Profiles;
  /** Stands before all pages but `/` and those that probes ask for; absent: everybody is let in. */
  readonly guard?: ((inner: HttpHandler) => HttpHandler) | undefined;
  /** A problem as people read it, with line and caret. */
  readonly format: (problem: Problem) => string;
}

export interface Admin {
  readonly routes: Readonly<Record<string, HttpHandler>>;
  /** For every other path: the list of endpoints, as in the Go service. */
  readonly fallback: HttpHandler;
}

/** Tools compare this list with the Go service's, so it holds nothing more; our own are told in the Link header. */
const LIST = [
  '/debug/pprof/: root of various pprof endpoints. hit for help.',
  '/debug/pprof/profile: CPU profiling endpoint',
  '/debug/pprof/trace: trace endpoint',
  '/rlconfig: print out the currently loaded configuration for debugging',
  '/stats: print out stats',
];
const OWN = '</rules>; rel="related"; title="rules and their problems", </metrics>; rel="related"';

const PPROF_HELP = `This is a Node.js process, whose profiles Chrome's DevTools open. With DEBUG_PROFILES=true, from this host alone:
  /debug/pprof/profile?seconds=N   a CPU profile of the next N seconds (1 to 60, 30 when not said), a .cpuprofile
  /debug/pprof/heap                a heap snapshot; calls wait while it is taken, and it holds keys and secrets
With WORKERS they are of the worker that has served longest; ?worker=N names another, by its number in the log, 0 the first
process, which decides nothing.
Other pages here: /rules (the rules that are live, and problems), /metrics, /rlconfig, /stats.
`;

/** The list, and what probes of the Go service may ask here, which gives the list there too. */
const OPEN = ['/', '/healthcheck', '/livez', '/readyz'];

/** At most this many problems and domains are listed; the counts beside them are of all. */
const MAX_LISTED = 1000;

/** The admin port: what is loaded, what is wrong with it, and the numbers. For operators, never for the public. */
export function admin({ rules, metrics, profiles, guard = (it) => it, format }: AdminOptions): Admin {
  const list = () => ({ ...textReply(200, `${LIST.join('\n')}\n`), headers: { link: OWN } });
  const guarded: Record<string, HttpHandler> = {
    '/rlconfig': () => textReply(200, rules.loaded()?.ruleset.rules.map(ruleLines).join('') ?? ''),
    '/rules': () => jsonReply(200, rulesPage(rules, format)),
    '/stats': async () => jsonReply(200, seriesOf(await metrics.metrics())),
    '/metrics': expositionHandler(metrics),
    '/debug/pprof/': () => textReply(200, PPROF_HELP),
    '/debug/pprof/profile': profiles.cpu,
    '/debug/pprof/heap': profiles.heap,
    '/debug/pprof/trace': () => textReply(501, 'A Node.js process makes no execution trace; see /debug/pprof/.\n'),
  };
  return {
    routes: {
      ...Object.fromEntries(Object.entries(guarded).map(([path, page]) => [path, guard(page)])),
      ...Object.fromEntries(OPEN.map((path) => [path, list])),
    },
    fallback: guard(list),
  };
}

/** '' for a place in the tree that limits nothing. */
function ruleLines({ path, limits, unlimited, shadowMode, quotaMode }: Rule): string {
  const line = (series: string, unit: string, requestsPerUnit: number, shadow: boolean): string =>
    `${path}${series}: unit=${unit} requests_per_unit=${requestsPerUnit}, shadow_mode: ${shadow}, quota_mode: ${quotaMode}\n`;
  if (unlimited) return line('', 'UNKNOWN', 0, shadowMode);
  return limits
    .map((limit) => line(limit.series, limit.unit.toUpperCase(), limit.requestsPerUnit, limit.shadowMode))
    .join('');
}

function rulesPage(rules: RulesHistory, format: (problem: Problem) => string): object {
  const loaded = rules.loaded();
  const refused = rules.refused();
  return {
    state: rules.state(),
    live:
      loaded === null
        ? null
        : {
            generation: loaded.ruleset.generation,
            since: isoTime(loaded.atUs),
            files: loaded.files,
            rules: loaded.ruleset.rules.length,
            domainCount: loaded.ruleset.domains.size,
            domains: [...loaded.ruleset.domains.keys()].slice(0, MAX_LISTED),
          },
    refused:
      refused === null
        ? null
        : {
            at: isoTime(refused.atUs),
            files: refused.files,
            problemCount: refused.problems.length,
            problems: refused.problems.slice(0, MAX_LISTED).map((problem) => ({ ...problem, text: format(problem) })),
          },
  };
}

function isoTime(us: number): string {
  return new Date(us / 1000).toISOString();
}

/** The exposition as one JSON object: series to value. */
function seriesOf(exposition: string): Readonly<Record<string, number>> {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const cut = line.lastIndexOf(' ');
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}
