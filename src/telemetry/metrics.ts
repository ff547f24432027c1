import { Registry } from 'prom-client';
import type { Assumption, Decision, FailurePolicy, Limited } from '../core/decision.ts';
import { CallerGoneError, type Observer } from '../core/ports.ts';
import type { Rule, Ruleset } from '../core/ruleset.ts';
import { addToTally, metered } from '../core/tally.ts';
import { BATCH_BOUNDS, type Buckets, buckets, observe, TIME_BOUNDS_US } from './buckets.ts';
import { type DomainNumbers, domainNumbers, fixedSlot, retire, type Slot, varyingSlot } from './domain-numbers.ts';
import { Exposition, type Labels } from './exposition.ts';
import { fieldFamilies } from './field-families.ts';
import { tagLabels } from './labels.ts';
import { boundsUs } from './mapping/mapped-families.ts';
import type { Mapper } from './mapping/mapper.ts';
import { processMetrics } from './process-metrics.ts';
import { type Numbers, scrape } from './scrape.ts';
import type { Sources } from './sources.ts';
import { type Stat, stats } from './stats.ts';

export interface MetricsOptions {
  /** NEAR_LIMIT_RATIO: hits above this part of a limit are near it. */
  readonly nearLimitRatio: number;
  /** Metric keys per domain that requests have a part in; those beyond are one series, `_other`. Default 1000. */
  readonly maxSeriesPerDomain?: number;
  readonly version?: string;
  /** false: rules are used here, and loaded and told of by another process. Default true. */
  readonly tellsRules?: boolean;
  /** Node's own metrics: CPU, memory, event loop. Default true. */
  readonly process?: boolean;
  /** EXTRA_TAGS: on every series. */
  readonly extraTags?: Readonly<Record<string, string>>;
  /** How the field registry names what it tells. Default: as the Go service does by itself. */
  readonly mapper?: Mapper | null;
  readonly responseTimeAsMs?: boolean;
  /** The mapper gives one name to stats of two kinds, and one is left out. */
  readonly onConflict?: (name: string) => void;
}

export interface Metrics extends Observer {
  /** Everything weir tells. */
  readonly registry: Registry;
  /**
   * The same without those families of weir's own that carry a domain: what stands under a domain is then exactly what
   * the Go service tells of it.
   */
  readonly fieldRegistry: Registry;
  /** EXTRA_TAGS as labels: the default labels of both. */
  readonly tags: Labels;
  /** What the Go service tells too, under its statsd names, as of now. */
  stats(): Iterable<Stat>;
  /** A gRPC call was answered, whatever the answer. `method` is the bare name, such as ShouldRateLimit. */
  called(method: string, tookUs: number): void;
  /** One batch came back from the store. */
  storeAnswered(tookUs: number, hits: number): void;
  /** So many hits of a request were answered by a failure policy, because of this. */
  storeFellBack(policy: FailurePolicy, because: Assumption, hits: number): void;
  /** A request met a defect of weir. */
  bug(): void;
  /** Later calls add to earlier ones. */
  read(sources: Sources): void;
}

/** Domains that left the rules and are still told; the longest gone is dropped first. */
const MAX_RETIRED_DOMAINS = 100;
/** Told from the start: a rate sees no increase where a series begins. */
const FALLBACKS = ['allow', 'deny', 'local'].flatMap((policy) => [`${policy} store_down`, `${policy} breaker_open`]);
/** Methods come from the services that are registered, so this is never met. */
const MAX_METHODS = 64;

/**
 * Counts what happened in plain numbers; prom-client sees them only when somebody scrapes.
 *
 * Series are bounded: a rule's own key always has its series, keys that a request has a part in share
 * `maxSeriesPerDomain`, and all domains without rules are one, `_unknown`.
 */
export function metrics(options: MetricsOptions): Metrics {
  const { nearLimitRatio, maxSeriesPerDomain = 1000, version = '', mapper = null, tellsRules = true } = options;
  const tags = tagLabels(options.extraTags ?? {});
  const timeBoundsUs = [...new Set([...TIME_BOUNDS_US, ...(mapper === null ? [] : boundsUs(mapper))])];
  timeBoundsUs.sort((a, b) => a - b);
  const domains = new Map<string, DomainNumbers>();
  const retired = new Map<string, DomainNumbers>();
  const unknown = domainNumbers('_unknown');
  const slotOfRule = new WeakMap<Rule, Slot>();
  const methods = new Map<string, Buckets>();
  const numbers: Numbers = {
    version,
    tellsRules,
    decisionTime: buckets(TIME_BOUNDS_US),
    storeTime: buckets(TIME_BOUNDS_US),
    storeBatch: buckets(BATCH_BOUNDS),
    methods,
    globalShadowMode: 0,
    domainNotFound: 0,
    redisErrors: 0,
    storeFailures: { timeout: 0, unavailable: 0, busy: 0, script: 0, counter: 0 },
    fallbacks: new Map(FALLBACKS.map((both) => [both, 0])),
    callersGone: 0,
    serviceErrors: 0,
    bugs: 0,
    loads: 0,
    refusedLoads: 0,
    problems: 0,
    live: null,
    sources: {},
  };
  let liveKeys: Set<string> | null = null;

  function domainOf(name: string, ruleset: Ruleset | null): DomainNumbers {
    const known = domains.get(name);
    if (known !== undefined) return known;
    if (ruleset === null || !ruleset.domains.has(name)) return unknown;
    const made = retired.get(name) ?? domainNumbers(name);
    retired.delete(name);
    domains.set(name, made);
    return made;
  }

  function slotOf(domain: DomainNumbers, { rule, metric }: Limited, series: string): Slot {
    if (rule === null || metric !== rule.path) return varyingSlot(domain, metric + series, maxSeriesPerDomain);
    if (series !== '') return fixedSlot(domain, metric + series);
    const known = slotOfRule.get(rule);
    if (known !== undefined) return known;
    const made = fixedSlot(domain, metric);
    slotOfRule.set(rule, made);
    return made;
  }

  /** Whether this is the metric key of a rule that is live. Made when first asked, as a set of rules may be large. */
  function isLive(key: string): boolean {
    liveKeys ??= new Set(numbers.live?.rules.flatMap(seriesOf));
    return liveKeys.has(key);
  }

  function settle(ruleset: Ruleset): void {
    numbers.live = ruleset;
    liveKeys = null;
    for (const [name, domain] of domains) {
      if (ruleset.domains.has(name)) {
        if (domain.slots.size > maxSeriesPerDomain) retire(domain, isLive, maxSeriesPerDomain);
      } else {
        domains.delete(name);
        retired.set(name, domain);
      }
    }
    for (const name of retired.keys()) {
      if (retired.size <= MAX_RETIRED_DOMAINS) break;
      retired.delete(name);
    }
  }

  function decided(decision: Decision, tookUs: number): void {
    observe(numbers.decisionTime, tookUs);
    const domain = domainOf(decision.request.domain, decision.ruleset);
    if (decision.outcome === 'ok') domain.ok++;
    else domain.overLimit++;
    if (decision.shadowed) numbers.globalShadowMode++;
    const { verdicts } = decision;
    for (let i = 0; i < verdicts.length; i++) {
      const { match, limits } = verdicts[i]!;
      if (match.kind !== 'limited') {
        if (match.kind === 'none' && match.because === 'unknown_domain') numbers.domainNotFound++;
        continue;
      }
      for (let k = 0; k < limits.length; k++) {
        const { hit, reading } = limits[k]!;
        if (hit.cost < 0) {
          if (k === 0) domain.refundedHits += metered(-hit.cost);
          continue;
        }
        const slot = slotOf(domain, match, hit.limit.series);
        slot.totalHits += metered(hit.cost);
        addToTally(slot, reading, hit.cost, hit.limit.capacity, nearLimitRatio, hit.shadow);
      }
    }
  }

  function seriesOf({ path, limits }: Rule): readonly string[] {
    return limits.length === 0 ? [path] : limits.map(({ series }) => path + series);
  }

  const everyDomain = () => [...domains.values(), ...retired.values(), unknown];
  const families = () => scrape(numbers, everyDomain());
  const process = (options.process ?? true) ? processMetrics() : new Registry();
  const registry = new Exposition(families, process);
  registry.setDefaultLabels(tags);
  const { responseTimeAsMs = false, onConflict = () => {} } = options;
  const ofProcess = new Set(process.getMetricsAsArray().map(({ name }) => name));
  const shown = { mapper, responseTimeAsMs, tags, ofProcess, onConflict };
  const field = () => fieldFamilies(numbers, everyDomain(), shown);
  const fieldRegistry = new Exposition(field, process);
  fieldRegistry.setDefaultLabels(tags);

  return {
    decided,
    storeFailed(request, hits, error) {
      numbers.redisErrors++;
      numbers.storeFailures[error.code]++;
      const domain = domainOf(request.domain, numbers.live);
      domain.error++;
      let refunded = -1;
      for (const { hit, metric } of hits) {
        if (hit.cost < 0) {
          if (hit.of !== refunded) domain.refundedHits += metered(-hit.cost);
          refunded = hit.of;
          continue;
        }
        // A key is looked up among the rules only where it makes a difference, when the bound is reached.
        const own = domain.varying >= maxSeriesPerDomain && domain !== unknown && isLive(metric);
        const slot = own ? fixedSlot(domain, metric) : varyingSlot(domain, metric, maxSeriesPerDomain);
        slot.totalHits += metered(hit.cost);
      }
    },
    requestRefused(request, error) {
      if (error instanceof CallerGoneError) {
        numbers.callersGone++;
        return;
      }
      // What cannot be read never reaches the service's own errors in the Go service.
      if (request === null) {
        unknown.error++;
        return;
      }
      numbers.serviceErrors++;
      domainOf(request.domain, numbers.live).error++;
    },
    rulesLoaded(report) {
      if (report.ok) settle(report.ruleset);
      if (!tellsRules) return;
      if (report.ok) {
        numbers.loads++;
        numbers.problems = 0;
      } else {
        numbers.refusedLoads++;
        numbers.problems = report.problems.length;
      }
    },
    called(method, tookUs) {
      let times = methods.get(method);
      if (times === undefined) {
        if (methods.size >= MAX_METHODS) return;
        times = buckets(timeBoundsUs);
        methods.set(method, times);
      }
      observe(times, tookUs);
    },
    storeAnswered(tookUs, hits) {
      observe(numbers.storeTime, tookUs);
      observe(numbers.storeBatch, hits);
    },
    storeFellBack(policy, because, hits) {
      const both = `${policy} ${because}`;
      numbers.fallbacks.set(both, (numbers.fallbacks.get(both) ?? 0) + hits);
    },
    bug() {
      numbers.bugs++;
    },
    read(sources) {
      numbers.sources = { ...numbers.sources, ...sources };
    },
    registry,
    fieldRegistry,
    tags,
    stats: () => stats(numbers, everyDomain()),
  };
}
