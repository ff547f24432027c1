import type { Buckets } from '../buckets.ts';
import type { Stat } from '../stats.ts';

/** A line that is due. `weight`: how many calls a time stands for. */
export interface Due {
  readonly name: string;
  readonly value: number;
  readonly type: 'c' | 'g' | 'ms';
  readonly weight: number;
}

export interface Increments {
  /**
   * What happened since it was told last. A line counts as told once the next one is asked for, so that whoever stops
   * in the middle finds the rest the next time.
   */
  since(stats: Iterable<Stat>): Generator<Due>;
}

/** Lines that the times of one name make in one go, about; beyond it one line stands for several calls. */
const TIMES_PER_FLUSH = 100;
const US_PER_MS = 1_000;

export function increments(): Increments {
  const counters = new Map<string, number>();
  const timers = new Map<string, Pick<Buckets, 'counts' | 'sums'>>();

  function* counted(sums: ReadonlyMap<string, number>): Generator<Due> {
    for (const [name, value] of sums) {
      const before = counters.get(name) ?? 0;
      // Less than before: the series was dropped for lack of room and began anew.
      const increment = value < before ? value : value - before;
      if (increment > 0) yield { name, value: increment, type: 'c', weight: 1 };
      counters.set(name, value);
    }
    for (const name of counters.keys()) if (!sums.has(name)) counters.delete(name);
  }

  function* timed(name: string, { counts, sums }: Buckets): Generator<Due> {
    const told = timers.get(name) ?? { counts: new Float64Array(counts.length), sums: new Float64Array(counts.length) };
    timers.set(name, told);
    const calls = counts.reduce((sum, count, at) => sum + count - told.counts[at]!, 0);
    const most = Math.ceil(calls / TIMES_PER_FLUSH);
    for (let at = 0; at < counts.length; at++) {
      const [count, sum] = [counts[at]!, sums[at]!];
      // The mean lies in its bucket, so that both the sum and the buckets of whoever receives it are right.
      const value = (sum - told.sums[at]!) / (count - told.counts[at]!) / US_PER_MS;
      for (let left = count - told.counts[at]!; left > 0; left -= most) {
        const weight = Math.min(left, most);
        yield { name, value, type: 'ms', weight };
        told.counts[at]! += weight;
        told.sums[at]! += value * US_PER_MS * weight;
      }
      if (told.counts[at] === count) told.sums[at] = sum;
    }
  }

  return {
    *since(stats) {
      const sums = new Map<string, number>();
      for (const stat of stats) {
        if (stat.kind === 'timer') yield* timed(stat.name, stat.times);
        else if (stat.kind === 'gauge') yield { name: stat.name, value: stat.value, type: 'g', weight: 1 };
        else sums.set(stat.name, (sums.get(stat.name) ?? 0) + stat.value);
      }
      yield* counted(sums);
    },
  };
}
