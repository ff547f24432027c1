import { encodeBlock } from '../hpack/encoder.ts';
import { type Metadata, metadataFields } from './metadata.ts';
import { escapeMessage, type Status } from './status.ts';

const CONTENT_TYPE = ['content-type', 'application/grpc'] as const;
const OK_HEADERS = [':status', '200', ...CONTENT_TYPE] as const;

/** The same for every call that has nothing to add, so they are made once. */
export const HEADERS = encodeBlock(OK_HEADERS);
export const OK_TRAILERS = encodeBlock(['grpc-status', '0']);

const ACCEPT_ENCODING = ['grpc-accept-encoding', 'identity,gzip'] as const;

export function headersWith(metadata: Metadata): Buffer {
  return encodeBlock([...OK_HEADERS, ...metadataFields(metadata)]);
}

export function trailersWith(status: Status): Buffer {
  return encodeBlock(statusFields(status));
}

/** "Trailers-Only": a call that ends before it has answered anything. */
export function trailersOnly(status: Status, accepting: boolean): Buffer {
  return encodeBlock([...OK_HEADERS, ...statusFields(status), ...(accepting ? ACCEPT_ENCODING : [])]);
}

function statusFields({ code, message, metadata = [] }: Status): string[] {
  const told = message === '' ? [] : ['grpc-message', escapeMessage(message)];
  return ['grpc-status', String(code), ...told, ...metadataFields(metadata)];
}
