/**
 * Calls under way. Each ends within its time limit, and closing waits for all of them. All have the same limit, so they end in
 * the order in which they began, and one timer serves any number.
 *
 * The event loop runs timers before it reads sockets. After a standstill the replies may lie unread in the socket, so a sweep
 * lets the loop read first.
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
      this.timer ??= setTimeout(() => this.sweepAfterReading(), this.timeoutMs);
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

  /** Two turns of the event loop: the poll of the first one may have begun before the replies came. */
  private sweepAfterReading(): void {
    setImmediate(() => setImmediate(() => this.sweep()));
  }

  /** Rejects the calls that are late, and comes back when the next one will be. */
  private sweep(): void {
    this.timer = undefined;
    const now = performance.now();
    for (const call of this.running) {
      if (call.endsAt > now) {
        this.timer = setTimeout(() => this.sweepAfterReading(), call.endsAt - now);
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
