/** What was lately told, so that it is not told twice. Bounded: at least the newest `size` are remembered, at most twice as many. */
export class Recent<Item> {
  private items = new Set<Item>();
  private older = new Set<Item>();

  constructor(private readonly size: number) {}

  /** @returns whether it is new */
  add(item: Item): boolean {
    if (this.has(item)) return false;
    this.items.add(item);
    if (this.items.size >= this.size) {
      this.older = this.items;
      this.items = new Set();
    }
    return true;
  }

  has(item: Item): boolean {
    return this.items.has(item) || this.older.has(item);
  }
}

/** The same for what nodes number: numbers are no work for the garbage collector, as that many texts are. */
export class RecentOfNodes {
  private readonly nodes = new Map<string, Recent<number>>();

  constructor(
    private readonly size: number,
    private readonly maxNodes: number,
  ) {}

  /** @param name '<node> <number>'; returns whether it is new */
  add(name: string): boolean {
    const [node, number] = numbered(name);
    let recent = this.nodes.get(node);
    if (!recent) {
      recent = new Recent(this.size);
      this.nodes.set(node, recent);
      const [oldest] = this.nodes.keys();
      if (this.nodes.size > this.maxNodes && oldest !== undefined) this.nodes.delete(oldest);
    }
    return recent.add(number);
  }

  has(name: string): boolean {
    const [node, number] = numbered(name);
    return this.nodes.get(node)?.has(number) ?? false;
  }
}

function numbered(name: string): [node: string, number: number] {
  const space = name.indexOf(' ');
  return [name.slice(0, space), Number(name.slice(space + 1))];
}
