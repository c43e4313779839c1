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
