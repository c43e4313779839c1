/**
 * Calls under way: each ends within the deadline, and whoever closes waits for them. All have the same deadline, so that they
 * end in the order in which they began, and one timer does for any number.
 */
import { performance } from 'node:perf_hooks';

interface Call {
  endsAt: number;
  giveUp(): void;
}

export class Calls {
  private readonly running = new Set<Call>();
  private readonly waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** @param late what a call is rejected with that has not ended in time; `failed`: what became of an error */
  constructor(
    private readonly timeoutMs: number,
    private readonly late: () => Error,
    private readonly failed: (error: unknown) => Error,
  ) {}

  run<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call: Call = { endsAt: performance.now() + this.timeoutMs, giveUp: () => reject(this.late()) };
      this.running.add(call);
      this.timer ??= setTimeout(() => this.sweep(), this.timeoutMs);
      work.then(
        (value) => {
          this.end(call);
          resolve(value);
        },
        (error: unknown) => {
          this.end(call);
          reject(this.failed(error));
        },
      );
    });
  }

  /** Resolves when none is under way. */
  ended(): Promise<void> {
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** To be called when none is under way, nor will be. */
  close(): void {
    clearTimeout(this.timer);
  }

  private end(call: Call): void {
    if (this.running.delete(call) && this.running.size === 0) this.settle();
  }

  /** Gives up on those that are late; looks again when the next one will be. */
  private sweep(): void {
    this.timer = undefined;
    const now = performance.now();
    for (const call of this.running) {
      if (call.endsAt > now) {
        this.timer = setTimeout(() => this.sweep(), call.endsAt - now);
        return;
      }
      this.running.delete(call);
      call.giveUp();
    }
    this.settle();
  }

  private settle(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
