import type { Part } from '../core/ports.ts';
import { within } from '../within.ts';
import { type HttpHandler, jsonReply, TEXT, textReply } from './exchange.ts';
import type { RulesState } from './rules-history.ts';

export interface HealthSources {
  readonly rules: () => RulesState;
  /** Domains of the set that is live. */
  readonly domainCount: () => number;
  readonly storeEverAnswered: () => boolean;
  /** Asks the store now. */
  readonly storeReachableNow: () => Promise<boolean>;
  readonly draining: () => boolean;
}

export interface HealthOptions {
  /** FORCE_START_WITHOUT_INITIAL_CONFIG: /healthcheck does not wait for rules. */
  readonly forceStart?: boolean;
  /** HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: a set without domains is unhealthy. */
  readonly needsDomain?: boolean;
  /** REDIS_HEALTH_CHECK_ACTIVE_CONNECTION: the store is asked each time. */
  readonly activeConnection?: boolean;
  /** A store that does not answer within this counts as unreachable. Default 1 s. */
  readonly storeTimeoutMs?: number;
  /** How often a started health looks for changes by itself. Default 1 s. */
  readonly refreshEveryMs?: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly rules: RulesState;
  readonly store: 'reachable' | 'unreachable';
  readonly draining: boolean;
}

/** One opinion on health for HTTP and gRPC. Started, it looks for changes that nobody told it of. */
export interface Health extends Part {
  /** What the Go service's probes mean: it has started, and is not going away. */
  healthy(): Promise<boolean>;
  /** The truth of this moment: would a request be decided now? */
  readiness(): Promise<Readiness>;
  /** Tells `listener` whether it is healthy, now and after each change that `refresh` or a probe finds. */
  listen(listener: (healthy: boolean) => void): void;
  /** Looks again at once; for a change that must not wait, such as the begin of draining. */
  refresh(): Promise<void>;
  /** /healthcheck, /livez, /readyz. */
  readonly routes: Readonly<Record<'/healthcheck' | '/livez' | '/readyz', HttpHandler>>;
}

/**
 * `/healthcheck` is for those who come from the Go service: unhealthy until rules were heard of and the store answered
 * once, healthy from then on. Rules that were refused count as heard of, as they do there; `/readyz` tells the
 * difference.
 */
export function health(sources: HealthSources, options: HealthOptions = {}): Health {
  const { forceStart = false, needsDomain = false, activeConnection = false } = options;
  const { storeTimeoutMs = 1000, refreshEveryMs = 1000 } = options;
  const listeners: ((healthy: boolean) => void)[] = [];
  let told: boolean | null = null;
  let asking: Promise<boolean> | null = null;
  let timer: NodeJS.Timeout | undefined;

  /** Many probes at once are one question to the store. */
  function storeAnswers(): Promise<boolean> {
    asking ??= within(storeTimeoutMs, sources.storeReachableNow())
      .catch(() => false)
      .finally(() => {
        asking = null;
      });
    return asking;
  }

  async function healthy(): Promise<boolean> {
    const answers = activeConnection && isStarted() ? await storeAnswers() : true;
    return look(answers);
  }

  function isStarted(): boolean {
    return (
      !sources.draining() &&
      (forceStart || sources.rules() !== 'waiting') &&
      (!needsDomain || sources.domainCount() > 0) &&
      sources.storeEverAnswered()
    );
  }

  /** Draining may have begun while the store was asked, and its answer may be the first. */
  function look(answers: boolean): boolean {
    return tell(isStarted() && (answers || !activeConnection));
  }

  function tell(now: boolean): boolean {
    if (now !== told) {
      told = now;
      for (const listener of listeners) listener(now);
    }
    return now;
  }

  async function refresh(): Promise<void> {
    await healthy();
  }

  async function readiness(): Promise<Readiness> {
    const answers = await storeAnswers();
    // Who is told here that calls will be decided may send them at once, to whoever asks for gRPC health first.
    look(answers);
    const store = answers ? 'reachable' : 'unreachable';
    const rules = sources.rules();
    const draining = sources.draining();
    return { ready: rules === 'loaded' && store === 'reachable' && !draining, rules, store, draining };
  }

  return {
    healthy,
    readiness,
    listen(listener) {
      listeners.push(listener);
      if (told !== null) listener(told);
    },
    refresh,
    name: 'health',
    async start() {
      clearInterval(timer);
      timer = setInterval(() => void refresh(), refreshEveryMs).unref();
      await refresh();
    },
    async stop() {
      clearInterval(timer);
    },
    routes: {
      '/healthcheck': async () =>
        (await healthy()) ? { status: 200, contentType: TEXT, body: 'OK' } : { status: 500, contentType: '', body: '' },
      '/livez': () => textReply(200, 'OK\n'),
      '/readyz': async () => {
        const told = await readiness();
        return jsonReply(told.ready ? 200 : 503, told);
      },
    },
  };
}
