import type { Head } from '../http2/head.ts';
import type { Method } from './method.ts';
import { STATUS } from './status.ts';
import { parseTimeout } from './timeout.ts';

/** What is to be done with the calls that have one head. */
export type Plan =
  | { readonly kind: 'http'; readonly status: number; readonly text: string; readonly withBody: boolean }
  | { readonly kind: 'refused'; readonly code: number; readonly message: string; readonly accepting: boolean }
  | { readonly kind: 'call'; readonly method: Method; readonly timeoutMs: number | null; readonly gzip: boolean };

/** "Content-Type" of the gRPC protocol: with a suffix, or a parameter. */
const GRPC_TYPE = /^application\/grpc([+;].*)?$/;

export function planOf(head: Head, methods: ReadonlyMap<string, Method>): Plan {
  const { fields } = head;
  const withBody = head.method !== 'HEAD';
  if (!GRPC_TYPE.test(fieldOf(fields, 'content-type') ?? '')) {
    return { kind: 'http', status: 415, text: 'This port takes application/grpc.', withBody };
  }
  if (head.method !== 'POST') return { kind: 'http', status: 405, text: 'gRPC is spoken by POST.', withBody };
  const timeout = fieldOf(fields, 'grpc-timeout');
  const timeoutMs = timeout === null ? null : parseTimeout(timeout);
  if (timeout !== null && timeoutMs === null) return refused(STATUS.internal, 'malformed grpc-timeout');
  const encoding = fieldOf(fields, 'grpc-encoding') ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    return { ...refused(STATUS.unimplemented, 'grpc-encoding is none of identity and gzip'), accepting: true };
  }
  const method = methods.get(head.path);
  if (method === undefined) return refused(STATUS.unimplemented, `unknown method ${head.path}`);
  if (timeoutMs !== null && timeoutMs <= 0) return refused(STATUS.deadlineExceeded, 'the deadline is over');
  return { kind: 'call', method, timeoutMs, gzip: encoding === 'gzip' };
}

function refused(code: number, message: string) {
  return { kind: 'refused', code, message, accepting: false } as const;
}

/** Of several the values are joined, which makes most of them malformed. */
function fieldOf(fields: readonly string[], name: string): string | null {
  let value: string | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) value = value === null ? fields[i + 1]! : `${value},${fields[i + 1]}`;
  }
  return value;
}
