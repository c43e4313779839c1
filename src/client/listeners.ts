/** Listeners that can be taken away again. One that throws is reported and does not stop the others. */
export class Listeners<Args extends unknown[]> {
  private readonly all = new Set<(...args: Args) => unknown>();

  constructor(private readonly report: (error: unknown) => void) {}

  get size(): number {
    return this.all.size;
  }

  /**
   * @param past what the listener is called with at once
   * @returns takes the listener away
   */
  add(listener: (...args: Args) => unknown, past: Args[] = []): () => void {
    // The same function may be added twice, and each is taken away by itself.
    const own = (...args: Args): unknown => listener(...args);
    this.all.add(own);
    for (const args of past) void this.run(own, args);
    return () => void this.all.delete(own);
  }

  /** @returns resolves to whether every listener ended without an error */
  async call(...args: Args): Promise<boolean> {
    const ended = await Promise.all([...this.all].map((listener) => this.run(listener, args)));
    return !ended.includes(false);
  }

  private async run(listener: (...args: Args) => unknown, args: Args): Promise<boolean> {
    try {
      await listener(...args);
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }
}

/** Listeners by key: a message's type, or a channel. A key is forgotten with its last listener. */
export class ListenersByKey<Args extends unknown[]> {
  private readonly byKey = new Map<string, Listeners<Args>>();

  constructor(private readonly report: (error: unknown) => void) {}

  get(key: string): Listeners<Args> | undefined {
    return this.byKey.get(key);
  }

  /** @returns takes the listener away */
  add(key: string, listener: (...args: Args) => unknown): () => void {
    const listeners = this.get(key) ?? new Listeners(this.report);
    this.byKey.set(key, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.size === 0 && this.get(key) === listeners) this.byKey.delete(key);
    };
  }
}
