/** Remembers the newest items, so that none is emitted twice: at least `size` of them, at most twice as many. */
export class DedupWindow<Item> {
  private items = new Set<Item>();
  private older = new Set<Item>();

  constructor(private readonly size: number) {}

  /** @returns whether the item is new */
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

/** The same for items that nodes number. Numbers cost the garbage collector nothing, unlike as many strings. */
export class NodeDedupWindow {
  private readonly nodes = new Map<string, DedupWindow<number>>();

  /** @param size per node */
  constructor(
    private readonly size: number,
    private readonly maxNodes: number,
  ) {}

  /** @param uid '<node> <number>' @returns whether it is new */
  add(uid: string): boolean {
    const [node, number] = parse(uid);
    let window = this.nodes.get(node);
    if (!window) {
      window = new DedupWindow(this.size);
      this.nodes.set(node, window);
      const [oldest] = this.nodes.keys();
      if (this.nodes.size > this.maxNodes && oldest !== undefined) this.nodes.delete(oldest);
    }
    return window.add(number);
  }

  has(uid: string): boolean {
    const [node, number] = parse(uid);
    return this.nodes.get(node)?.has(number) ?? false;
  }
}

function parse(uid: string): [node: string, number: number] {
  const space = uid.indexOf(' ');
  return [uid.slice(0, space), Number(uid.slice(space + 1))];
}
