import { setTimeout as wait } from 'node:timers/promises';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { type Wire, WireError } from './wire.ts';

const FIRST_RETRY_MS = 250;
const MOST_RETRY_MS = 4_000;

export interface OtlpOptions {
  readonly wire: Wire;
  /** For one batch, all attempts and the waits between them together. */
  readonly timeoutMs: number;
  /** 0 to 1, for the jitter of the waits. */
  readonly random: () => number;
}

/**
 * Sends batches to a collector, again where that may help and there is time. Resolves with how many spans it refused;
 * rejects with WireError.
 */
export function otlp({ wire, timeoutMs, random }: OtlpOptions) {
  return async function send(spans: readonly ReadableSpan[], signal: AbortSignal): Promise<number> {
    const request = ProtobufTraceSerializer.serializeRequest([...spans]);
    if (request === undefined) throw new WireError('the spans cannot be written', false);
    const endMs = performance.now() + timeoutMs;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, MOST_RETRY_MS)) {
      try {
        return refusedOf(await wire.send(request, Math.max(1, endMs - performance.now()), signal));
      } catch (error) {
        const pauseMs = waitMs * (0.5 + random() / 2);
        const mayHelp = error instanceof WireError && error.passing && performance.now() + pauseMs < endMs;
        if (!mayHelp || signal.aborted) throw error;
        await wait(pauseMs, undefined, { signal }).catch(() => {});
        if (signal.aborted) throw error;
      }
    }
  };
}

/** A response that cannot be read is one all the same: the spans have arrived. */
function refusedOf(response: Uint8Array): number {
  try {
    return Number(ProtobufTraceSerializer.deserializeResponse(response).partialSuccess?.rejectedSpans ?? 0);
  } catch {
    return 0;
  }
}
