/** A histogram of plain numbers: cheap to fill, turned into a family when somebody scrapes. */
export interface Buckets {
  readonly bounds: readonly number[];
  /** One more than `bounds`: the last is for what lies above them all. Not cumulative. */
  readonly counts: Float64Array;
  /** What the values of each add up to. */
  readonly sums: Float64Array;
}

/** `bounds` ascend; a value equal to a bound belongs to it. */
export function buckets(bounds: readonly number[]): Buckets {
  return { bounds, counts: new Float64Array(bounds.length + 1), sums: new Float64Array(bounds.length + 1) };
}

export function observe(into: Buckets, value: number): void {
  const { bounds } = into;
  let at = 0;
  while (at < bounds.length && value > bounds[at]!) at++;
  into.counts[at]!++;
  into.sums[at]! += value;
}

export function total(numbers: Float64Array): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}

/** Microseconds: 50 us to 10 s, fine where a decision should be, with the default bounds of Prometheus among them. */
export const TIME_BOUNDS_US = [
  50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
  2_500_000, 5_000_000, 10_000_000,
] as const;

export const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024] as const;
