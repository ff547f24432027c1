/** The span of the caller, as it told us. */
export interface RemoteParent {
  /** 32 hexadecimal digits in lower case, not all zero; `spanId` has 16. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  /** What vendors sent along, unread: `tracestate`. */
  readonly state: string | null;
}

/** What was sent under a name in lower case; null when nothing was. */
export type Header = (name: string) => string | null;

/** https://www.w3.org/TR/trace-context/: version, trace, span, flags; a later version may say more. */
const TRACE_PARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
/** https://github.com/openzipkin/b3-propagation: trace, span, and what was decided, then perhaps the span above. */
const B3 = /^([\da-f]{32}|[\da-f]{16})-([\da-f]{16})(?:-([01d])(?:-[\da-f]{16})?)?$/i;
const TRACE_ID = /^(?:[\da-f]{16}|[\da-f]{32})$/i;
const SPAN_ID = /^[\da-f]{16}$/i;
const NOTHING = /^0+$/;
/** https://www.w3.org/TR/trace-context/ asks for 512 at least. */
const MOST_STATE_CHARS = 4_096;

/** W3C's words, else those of B3 in one header, else in several; null when none holds a span. Never throws. */
export function remoteParent(header: Header): RemoteParent | null {
  return w3c(header) ?? b3(header) ?? b3InSeveral(header);
}

function w3c(header: Header): RemoteParent | null {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACE_PARENT.exec(header('traceparent') ?? '') ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
  const state = header('tracestate');
  const kept = state === null || state.length > MOST_STATE_CHARS ? null : state;
  return parent(traceId, spanId, (Number.parseInt(flags, 16) & 1) === 1, kept);
}

function b3(header: Header): RemoteParent | null {
  const found = B3.exec(header('b3') ?? '');
  if (found === null) return null;
  const [, traceId = '', spanId = '', decided] = found;
  return parent(traceId, spanId, isSampled(decided));
}

function b3InSeveral(header: Header): RemoteParent | null {
  const traceId = header('x-b3-traceid') ?? '';
  const spanId = header('x-b3-spanid') ?? '';
  if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return null;
  // `debug` is stronger than what was sampled.
  return parent(traceId, spanId, header('x-b3-flags') === '1' || isSampled(header('x-b3-sampled') ?? undefined));
}

/** Where nothing was decided the decision would be ours; a caller who sent a span is taken to have decided against it. */
function isSampled(decided: string | undefined): boolean {
  return decided !== undefined && ['1', 'd', 'true'].includes(decided.toLowerCase());
}

function parent(traceId: string, spanId: string, sampled: boolean, state: string | null = null): RemoteParent | null {
  if (NOTHING.test(traceId) || NOTHING.test(spanId)) return null;
  return { traceId: traceId.toLowerCase().padStart(32, '0'), spanId: spanId.toLowerCase(), sampled, state };
}
