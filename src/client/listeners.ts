/** Listeners that can be taken away again. One that throws is reported and stops no other. */
export class Listeners<Args extends unknown[]> {
  private readonly all = new Set<(...args: Args) => unknown>();

  constructor(private readonly report: (error: unknown) => void) {}

  get size(): number {
    return this.all.size;
  }

  /** @returns takes the listener away */
  add(listener: (...args: Args) => unknown): () => void {
    this.all.add(listener);
    return () => void this.all.delete(listener);
  }

  /** @returns resolves to whether every listener ended without an error */
  async call(...args: Args): Promise<boolean> {
    const results = await Promise.all(
      [...this.all].map(async (listener) => {
        try {
          await listener(...args);
          return true;
        } catch (error) {
          this.report(error);
          return false;
        }
      }),
    );
    return !results.includes(false);
  }
}
