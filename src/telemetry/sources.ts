/** What others know and a scrape asks for. */
export interface Sources {
  readonly inFlight?: () => number;
  readonly localCache?: () => LocalCacheNumbers;
  readonly storeKind?: string;
  readonly breakers?: () => BreakerNumbers;
}

export interface BreakerNumbers {
  readonly states: Readonly<Record<'closed' | 'open' | 'half_open', number>>;
  readonly openings: number;
  readonly refusals: number;
}

export interface LocalCacheNumbers {
  readonly entries: number;
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly evacuated: number;
  readonly overwritten: number;
}
