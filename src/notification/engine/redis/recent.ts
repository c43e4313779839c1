/** What was lately told, so that it is not told twice. Bounded: at least the newest `size` are remembered, at most twice as many. */
export class Recent {
  private items = new Set<string>();
  private older = new Set<string>();

  constructor(private readonly size: number) {}

  /** @returns whether it is new */
  add(item: string): boolean {
    if (this.has(item)) return false;
    this.items.add(item);
    if (this.items.size >= this.size) {
      this.older = this.items;
      this.items = new Set();
    }
    return true;
  }

  has(item: string): boolean {
    return this.items.has(item) || this.older.has(item);
  }
}
