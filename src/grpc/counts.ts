/** How often what came about, by one word for it. */
export class Counts extends Map<string, number> {
  add(word: string): void {
    this.set(word, (this.get(word) ?? 0) + 1);
  }
}
