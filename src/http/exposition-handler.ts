import type { HttpHandler } from './exchange.ts';

/** What a scrape gives: a prom-client Registry is one. */
export interface Scrapable {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** /metrics. Scrapes that come at the same time share one answer. */
export function expositionHandler(of: Scrapable): HttpHandler {
  let making: Promise<string> | null = null;
  return async () => {
    making ??= of.metrics().finally(() => {
      making = null;
    });
    return { status: 200, contentType: of.contentType, body: await making };
  };
}
