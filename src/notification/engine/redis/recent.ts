/** What was lately told, so that it is not told twice. Bounded: the oldest are forgotten first. */
export class Recent {
  private readonly items = new Set<string>();

  constructor(private readonly size: number) {}

  /** @returns whether it is new */
  add(item: string): boolean {
    if (this.items.has(item)) return false;
    this.items.add(item);
    if (this.items.size > this.size) {
      const [oldest] = this.items;
      if (oldest !== undefined) this.items.delete(oldest);
    }
    return true;
  }

  has(item: string): boolean {
    return this.items.has(item);
  }
}
