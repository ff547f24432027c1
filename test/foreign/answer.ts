import { status } from '@grpc/grpc-js';

/** What a client printed about one case: protobuf JSON as its own library writes it, or the gRPC error. */
export type Line =
  | { readonly name: string; readonly response: ResponseJson }
  | { readonly name: string; readonly error: { readonly code: number; readonly message: string } };

interface ResponseJson {
  readonly overallCode?: string;
  readonly statuses?: readonly {
    readonly code?: string;
    readonly currentLimit?: { readonly requestsPerUnit?: number; readonly unit?: string; readonly name?: string };
    readonly limitRemaining?: number;
    readonly durationUntilReset?: string;
  }[];
}

/** The one form in which all clients' answers and the expected ones are compared. */
export type Answer =
  | { readonly code: string; readonly statuses: readonly Status[] }
  | { readonly error: string; readonly message?: string };

interface Status {
  readonly code: string;
  readonly limit?: { readonly requests: number; readonly unit: string; readonly name?: string };
  readonly remaining: number;
}

const YEAR_SECONDS = 31_536_000;

/** Fills in the zeros that JSON leaves out. A limit without a plausible time until its reset is no answer. */
export function answerOf(line: Line): Answer {
  if ('error' in line)
    return { error: status[line.error.code] ?? String(line.error.code), message: line.error.message };
  const { overallCode = 'UNKNOWN', statuses = [] } = line.response;
  return {
    code: overallCode,
    statuses: statuses.map(({ code = 'UNKNOWN', currentLimit, limitRemaining = 0, durationUntilReset }) => {
      if (!currentLimit) return { code, remaining: limitRemaining };
      const seconds = /^(\d+)(\.0+)?s$/.exec(durationUntilReset ?? '')?.[1];
      if (!(Number(seconds) >= 1 && Number(seconds) <= YEAR_SECONDS)) {
        throw new Error(`${line.name}: the reset of a limit comes after ${JSON.stringify(durationUntilReset)}`);
      }
      const { requestsPerUnit: requests = 0, unit = 'UNKNOWN', name } = currentLimit;
      return { code, limit: { requests, unit, ...(name ? { name } : {}) }, remaining: limitRemaining };
    }),
  };
}
