import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { ownProcess } from '../support/process.ts';

const START_DEADLINE_MS = 60_000;

/** A span as it arrived. Ids are hexadecimal. */
export interface ReceivedSpan {
  readonly by: 'http' | 'grpc';
  /** The header `x-token` of its batch. */
  readonly token: string | null;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly state: string;
  readonly kind: number;
  readonly status: number;
  /** In nanoseconds. */
  readonly lasted: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface OtlpReceiver {
  readonly ports: { readonly http: number; readonly grpc: number };
  spans(): readonly ReceivedSpan[];
  close(): Promise<unknown>;
}

/** A receiver made of the messages that OpenTelemetry publishes for Python. */
export async function otlpReceiver(python: string): Promise<OtlpReceiver> {
  const script = fileURLToPath(new URL('otlp-receiver.py', import.meta.url));
  const child = await ownProcess({ name: 'otlp receiver', command: python, args: [script] });
  const lines = () => child.output().split('\n').slice(0, -1);
  try {
    const first = await eventually('the receiver to listen', () => lines()[0], START_DEADLINE_MS);
    return {
      ports: JSON.parse(first) as OtlpReceiver['ports'],
      spans: () =>
        lines()
          .slice(1)
          .map((line) => JSON.parse(line) as ReceivedSpan),
      close: () => child.stop(),
    };
  } catch (error) {
    await child.stop();
    throw new Error(`${(error as Error).message}\n${child.output()}`);
  }
}
