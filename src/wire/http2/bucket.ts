/** So many at once, and so many a second in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A token bucket that is full at first. */
export class Bucket {
  private readonly rate: Rate;
  private left: number;
  /** 0: it is full, and nothing was taken. */
  private filledMs = 0;

  constructor(rate: Rate) {
    this.rate = rate;
    this.left = rate.burst;
  }

  /** False when there were not so many left. */
  take(cost: number, nowMs: number): boolean {
    // Times of one read are the same.
    if (nowMs !== this.filledMs) this.fill(nowMs);
    this.left -= cost;
    return this.left >= 0;
  }

  give(more: number): void {
    this.left = Math.min(this.rate.burst, this.left + more);
  }

  private fill(nowMs: number): void {
    // A clock may be set back.
    this.give((Math.max(0, nowMs - this.filledMs) / 1_000) * this.rate.perSecond);
    this.filledMs = nowMs;
  }
}
