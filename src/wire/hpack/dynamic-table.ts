/** RFC 7541, section 4.1: what an entry costs beside its bytes. */
export const ENTRY_OVERHEAD = 32;
/** Room for evicted entries is given back when there is so much of it. */
const COMPACT_AT = 64;

/** RFC 7541, section 2.3.2: the newest entry is the first. */
export class DynamicTable {
  /** Changes with every change of the table: a block that changes nothing means the same while it stays. */
  version = 0;
  private names: string[] = [];
  private values: string[] = [];
  /** Of the oldest entry that is still there. */
  private first = 0;
  private size = 0;
  private maxSize: number;

  constructor(maxSize: number) {
    this.maxSize = maxSize;
  }

  get length(): number {
    return this.names.length - this.first;
  }

  /** `index` from 0, the newest. */
  name(index: number): string {
    return this.names[this.names.length - 1 - index]!;
  }

  value(index: number): string {
    return this.values[this.values.length - 1 - index]!;
  }

  /** An entry that does not fit empties the table, which is no error (section 4.4). */
  add(name: string, value: string): void {
    this.version++;
    this.names.push(name);
    this.values.push(value);
    this.size += name.length + value.length + ENTRY_OVERHEAD;
    this.evict();
  }

  resize(maxSize: number): void {
    this.version++;
    this.maxSize = maxSize;
    this.evict();
  }

  private evict(): void {
    while (this.size > this.maxSize) {
      this.size -= this.names[this.first]!.length + this.values[this.first]!.length + ENTRY_OVERHEAD;
      // An evicted string may be long.
      this.names[this.first] = '';
      this.values[this.first] = '';
      this.first++;
    }
    if (this.first < COMPACT_AT || this.first * 2 < this.names.length) return;
    this.names = this.names.slice(this.first);
    this.values = this.values.slice(this.first);
    this.first = 0;
  }
}
