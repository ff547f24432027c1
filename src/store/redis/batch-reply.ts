import { countsRefused } from '../../core/algorithm/algorithm.ts';
import type { Hit, Reading } from '../../core/decision.ts';
import { type Fate, readingOf } from '../../core/fate.ts';
import { isBucket } from '../../core/limit.ts';
import type { Micros } from '../../core/request.ts';

/** What became of a hit: its reading, or the text of an error. */
export type ReadingOrError = Reading | string;

const FATES: ReadonlyMap<unknown, Fate> = new Map([
  ['-', 'refused'],
  ['=', 'looked_at'],
  ['>', 'would_go_over'],
]);

const NONE: ReadonlyMap<number, string> = new Map();

/** The list that lua/batch.lua replies with, read in the order of the hits. */
export class BatchReply {
  readonly #list: readonly (number | string)[];
  #at = 1;

  constructor(list: readonly (number | string)[]) {
    this.#list = list;
  }

  /** Of the hits of the next request, which came at `nowUs`. */
  next(hits: readonly Hit[], nowUs: Micros): readonly ReadingOrError[] {
    const all: ReadingOrError[] = new Array(hits.length);
    for (let i = 0; i < hits.length; i++) all[i] = this.#next(hits[i] as Hit, nowUs);
    return all;
  }

  /** After the last hit: by their index, the errors of those whose counter could not be put. */
  unput(): ReadonlyMap<number, string> {
    const list = this.#list;
    if (this.#at + 1 === list.length) return NONE;
    const texts = new Map<number, string>();
    for (let at = this.#at; at + 2 < list.length; at += 2) texts.set(Number(list[at]) - 1, String(list[at + 1]));
    return texts;
  }

  #next(hit: Hit, nowUs: Micros): ReadingOrError {
    const first = this.#list[this.#at++];
    const fate = typeof first === 'number' ? 'charged' : FATES.get(first);
    if (fate === undefined) return String(first);
    const main = typeof first === 'number' ? first : this.#number();
    const rest = countsRefused(hit) ? 0 : this.#number();
    if (Number.isNaN(main + rest)) return 'ERR no counter was told';
    const atUs = isBucket(hit.limit.algorithm) ? Number(this.#list[0]) : nowUs;
    return readingOf(hit, { main, rest }, fate, atUs, 'redis');
  }

  #number(): number {
    const told = this.#list[this.#at++];
    return typeof told === 'number' ? told : Number.NaN;
  }
}
