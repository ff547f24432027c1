/** Where spans go, and how. `OTEL_EXPORTER_OTLP_*` says it. */
export interface Collector {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly gzip: boolean;
  /** What is in PEM files; absent: authorities of the system, no certificate of ours. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

/** The way to a collector: one ExportTraceServiceRequest, the bytes of the response. */
export interface Wire {
  /** Rejects with WireError. */
  send(request: Uint8Array, timeoutMs: number, signal: AbortSignal): Promise<Uint8Array>;
  close(): void;
}

/** A batch did not arrive. Its message names no header and no path. */
export class WireError extends Error {
  override readonly name = 'WireError';
  /** It may arrive when it is sent again. */
  readonly passing: boolean;
  constructor(message: string, passing: boolean) {
    super(message);
    this.passing = passing;
  }
}
