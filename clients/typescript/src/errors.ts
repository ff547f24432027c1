/** What went wrong with a check. Each kind has a class of its own; `code` is gRPC's, null when gRPC was not asked. */
export class WeirError extends Error {
  override readonly name: string = 'WeirError';
  readonly code: number | null;
  constructor(message: string, code: number | null, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

/** The request cannot be decided, now or later. No failure policy hides it: it is a mistake of the caller. */
export class RequestError extends WeirError {
  override readonly name = 'RequestError';
}

/** The caller cancelled the check. The hits may have been counted. No failure policy hides it. */
export class CancelledError extends WeirError {
  override readonly name = 'CancelledError';
}

/** No answer within the deadline. The hits may have been counted. */
export class DeadlineError extends WeirError {
  override readonly name = 'DeadlineError';
}

/** Nobody is there, or the service cannot count at the moment. */
export class UnavailableError extends WeirError {
  override readonly name = 'UnavailableError';
}

/** The service has more to do than it can, and has counted nothing. */
export class OverloadedError extends WeirError {
  override readonly name = 'OverloadedError';
}

/** The service has no rules yet. */
export class NotReadyError extends WeirError {
  override readonly name = 'NotReadyError';
}

/** Any other failure, or an answer that means nothing: perhaps the address is not a rate limit service's. */
export class ServiceError extends WeirError {
  override readonly name = 'ServiceError';
}

type Kind = new (message: string, code: number | null, cause?: unknown) => WeirError;

/** By gRPC code (https://grpc.io/docs/guides/status-codes/). CANCELLED is ours alone to say. */
const KINDS: Readonly<Record<number, Kind>> = {
  3: RequestError,
  4: DeadlineError,
  8: OverloadedError,
  9: NotReadyError,
  14: UnavailableError,
};

export function errorOfCode(code: number, message: string, cause: unknown): WeirError {
  return new (KINDS[code] ?? ServiceError)(message, code, cause);
}
