import type { Hit, Reading } from '../core/decision.ts';
import { StoreError } from '../core/ports.ts';

/** Hits of a request that could not be counted, while siblings were and stay so. Says what is wrong with the former. */
export class PartlyCountedError extends StoreError {
  readonly counted: ReadonlyMap<Hit, Reading>;
  constructor({ code, message, cause }: StoreError, counted: ReadonlyMap<Hit, Reading>) {
    super(code, message, cause);
    this.counted = counted;
  }
}
