/** Listeners that can be taken away again. One that throws is reported and does not stop the others. */
export interface Listeners<Args extends unknown[]> {
  isEmpty(): boolean;
  /**
   * @param past what the listener is called with at once
   * @returns takes the listener away
   */
  add(listener: (...args: Args) => unknown, past?: Args[]): () => void;
  /** @returns resolves to whether every listener ended without an error */
  call(...args: Args): Promise<boolean>;
}

/** @param report gets what a listener throws */
export function createListeners<Args extends unknown[]>(report: (error: unknown) => void): Listeners<Args> {
  const all = new Set<(...args: Args) => unknown>();

  const run = async (listener: (...args: Args) => unknown, args: Args): Promise<boolean> => {
    try {
      await listener(...args);
      return true;
    } catch (error) {
      report(error);
      return false;
    }
  };

  return {
    isEmpty: () => all.size === 0,
    add(listener, past = []) {
      // The same function may be added twice, and each is taken away by itself.
      const own = (...args: Args): unknown => listener(...args);
      all.add(own);
      for (const args of past) void run(own, args);
      return () => void all.delete(own);
    },
    call: async (...args) => !(await Promise.all([...all].map((listener) => run(listener, args)))).includes(false),
  };
}

/** Listeners by key: a message's type, or a channel. A key is forgotten with its last listener. */
export interface ListenersByKey<Args extends unknown[]> {
  get: (key: string) => Listeners<Args> | undefined;
  /** @returns takes the listener away */
  add: (key: string, listener: (...args: Args) => unknown) => () => void;
}

/** @param report gets what a listener throws */
export function createListenersByKey<Args extends unknown[]>(report: (error: unknown) => void): ListenersByKey<Args> {
  const byKey = new Map<string, Listeners<Args>>();
  return {
    get: (key) => byKey.get(key),
    add(key, listener) {
      const listeners = byKey.get(key) ?? createListeners<Args>(report);
      byKey.set(key, listeners);
      const remove = listeners.add(listener);
      return () => {
        remove();
        if (listeners.isEmpty() && byKey.get(key) === listeners) byKey.delete(key);
      };
    },
  };
}
