import { randomUUID } from 'node:crypto';
import {
  type Span as ApiSpan,
  type Attributes,
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import {
  ParentBasedSampler,
  type ReadableSpan,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type TracerProviderOptions,
} from '@opentelemetry/sdk-trace';
import type { SpanNumbers } from '../sources.ts';
import { grpcWire } from './grpc-wire.ts';
import { httpWire } from './http-wire.ts';
import { otlp } from './otlp.ts';
import type { RemoteParent } from './remote-parent.ts';
import { spanQueue } from './span-queue.ts';
import type { Span, Spans, Attributes as Told } from './tracing.ts';
import type { Collector, Wire } from './wire.ts';

export interface SdkOptions {
  readonly protocol: 'http' | 'grpc';
  readonly collector: Collector;
  /** For one batch, in all its attempts. */
  readonly timeoutMs: number;
  readonly service: {
    readonly name: string;
    /** '' is told as it is, as in the Go service. */
    readonly namespace: string;
    /** '': a UUID of its own for each process. */
    readonly instanceId: string;
    readonly version: string;
  };
  /** The part of the traces that begin here; who calls us within a trace has decided already. More than 0. */
  readonly samplingRate: number;
  readonly onLost: (spans: number, because: Error) => void;
}

export interface SdkSpans extends Spans {
  readonly numbers: SpanNumbers;
}

/** A domain may have 16 KB. */
const MOST_TEXT = 1_024;
const MAX_SPANS = 4_096;
const BATCH_SPANS = 512;
const DELAY_MS = 1_000;
/** How long the last spans may hold up the end of the process. */
const CLOSE_TIMEOUT_MS = 2_000;

/** The OpenTelemetry SDK, of which this file and those it imports are the only users. */
export function sdkSpans(options: SdkOptions): SdkSpans {
  const { protocol, collector, timeoutMs, service, samplingRate, onLost } = options;
  const wire: Wire = protocol === 'grpc' ? grpcWire(collector) : httpWire(collector);
  const queue = spanQueue<ReadableSpan>({
    send: otlp({ wire, timeoutMs, random: Math.random }),
    maxSpans: MAX_SPANS,
    batchSpans: BATCH_SPANS,
    delayMs: DELAY_MS,
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    onLost,
  });
  const provider = new TracerProvider({
    resource: resource({
      'service.name': service.name,
      'service.namespace': service.namespace,
      'service.instance.id': service.instanceId || randomUUID(),
      'service.version': service.version,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplingRate) }),
    spanLimits: { attributeValueLengthLimit: MOST_TEXT },
    spanProcessors: [{ onStart() {}, onEnd: queue.add, forceFlush: async () => {}, shutdown: async () => {} }],
  });
  const tracer = provider.getTracer('weir', service.version);

  return {
    numbers: queue.numbers,
    root(name, parent, attributes) {
      const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: wellFormed(attributes) }, context);
      return span.isRecording() ? told(span, context) : null;
    },
    child(name, of, attributes) {
      const { context } = of as ToldSpan;
      const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: wellFormed(attributes) }, context);
      return told(span, context);
    },
    async close() {
      await queue.close();
      wire.close();
    },
  };
}

interface ToldSpan extends Span {
  /** In which its children start. */
  readonly context: Context;
}

function told(span: ApiSpan, context: Context): ToldSpan {
  return {
    context: trace.setSpan(context, span),
    tell: (attributes) => void span.setAttributes(wellFormed(attributes)),
    end(failure) {
      if (failure !== null) {
        span.setAttributes({ 'error.type': failure.kind });
        span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
      }
      span.end();
    },
  };
}

function contextOf({ traceId, spanId, sampled, state }: RemoteParent): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state === null ? {} : { traceState: createTraceState(state) }),
  };
}

/** Texts that callers sent may hold a byte that is no UTF-8, and a span that is refused for it takes its batch along. */
function wellFormed(attributes: Told): Attributes {
  const entries = Object.entries(attributes).map(([name, value]) => {
    if (Array.isArray(value)) return [name, value.map((text) => text.toWellFormed())] as const;
    return [name, typeof value === 'string' ? value.toWellFormed() : value] as const;
  });
  return Object.fromEntries(entries);
}

type Resource = NonNullable<TracerProviderOptions['resource']>;

/** Of the SDK's own package for this nothing is needed but these four lines. */
function resource(attributes: Readonly<Record<string, string>>): Resource {
  const own: Resource = {
    attributes,
    getRawAttributes: () => Object.entries(attributes),
    merge: (other) => resource({ ...attributes, ...(other?.attributes as Record<string, string> | undefined) }),
  };
  return own;
}
