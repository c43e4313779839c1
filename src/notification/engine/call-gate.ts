/** The calls of an engine that are under way: `close` waits for them, and later calls are refused. */
import { EngineUnavailableError } from '../notification.errors.js';

type Method = (...args: unknown[]) => Promise<unknown>;

export class CallGate {
  private readonly underWay = new Set<Promise<unknown>>();
  private isClosed = false;

  run<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.isClosed) return Promise.reject(new EngineUnavailableError('the engine is closed'));
    const running = call();
    this.underWay.add(running);
    const done = (): void => void this.underWay.delete(running);
    running.then(done, done);
    return running;
  }

  /** @returns `part`, whose methods all run through the gate */
  guard<Part extends object>(part: Part): Part {
    const guarded = new Map<string | symbol, Method>();
    return new Proxy(part, {
      get: (_, name) => {
        const known = guarded.get(name);
        if (known) return known;
        const member: unknown = Reflect.get(part, name);
        // Nest looks for `then` and for lifecycle hooks on a provider, and must find none.
        if (typeof member !== 'function') return member;
        const through: Method = (...args) => this.run(() => (member as Method).apply(part, args));
        guarded.set(name, through);
        return through;
      },
    });
  }

  /** Resolves when the calls under way have ended. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.allSettled(this.underWay);
  }
}
