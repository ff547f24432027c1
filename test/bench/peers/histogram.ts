const MOST_US = 2_000_000;

export interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** Counts times by whole microseconds; what is longer than two seconds counts as that. */
export class Histogram {
  readonly #counts = new Uint32Array(MOST_US + 1);
  #count = 0;
  #maxUs = 0;

  record(us: number): void {
    const at = us < 0 ? 0 : us > MOST_US ? MOST_US : Math.round(us);
    this.#counts[at]!++;
    this.#count++;
    if (at > this.#maxUs) this.#maxUs = at;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxUs = 0;
  }

  percentiles(): Percentiles {
    const [p50Us, p99Us, p999Us] = [0.5, 0.99, 0.999].map((share) => this.#percentile(share)) as [
      number,
      number,
      number,
    ];
    return { p50Us, p99Us, p999Us, maxUs: this.#maxUs };
  }

  #percentile(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (let us = 0; us <= this.#maxUs; us++) {
      left -= this.#counts[us]!;
      if (left <= 0) return us;
    }
    return this.#maxUs;
  }
}
