/** How often each of several things has happened, by one word for it. */
export class Counts extends Map<string, number> {
  /** `words` are told from 0 on: a rate sees no increase where a series begins. */
  constructor(words: Iterable<string>) {
    super(Array.from(words, (word) => [word, 0] as const));
  }

  add(word: string): void {
    this.set(word, (this.get(word) ?? 0) + 1);
  }
}
