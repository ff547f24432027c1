import type { Part } from './core/ports.ts';
import { within } from './within.ts';

export interface PartsOptions {
  /** How long one part may take to stop before the next one is stopped all the same. */
  readonly stopTimeoutMs: number;
  /** A part failed to stop, or did not in time. */
  readonly onStopFailed: (part: Part, error: Error) => void;
}

/** Starts parts in order and stops them in reverse. A failed start stops what had started; every stop runs. */
export function parts(list: readonly Part[], { stopTimeoutMs, onStopFailed }: PartsOptions): Omit<Part, 'name'> {
  const started: Part[] = [];
  let stopping: Promise<void> | null = null;

  async function start(): Promise<void> {
    for (const part of list) {
      if (stopping !== null) return;
      started.push(part);
      try {
        await part.start();
      } catch (error) {
        await stop();
        throw error;
      }
    }
  }

  /** The same promise however often it is asked for. */
  function stop(): Promise<void> {
    stopping ??= stopAll();
    return stopping;
  }

  async function stopAll(): Promise<void> {
    for (const part of started.reverse()) {
      try {
        await within(stopTimeoutMs, part.stop());
      } catch (error) {
        onStopFailed(part, error as Error);
      }
    }
  }

  return { start, stop };
}
