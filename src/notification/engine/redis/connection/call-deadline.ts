/**
 * Calls under way. Each ends within its time limit, and closing waits for all of them. All calls have the same limit, so they
 * reach it in the order in which they began, and one timer serves any number of them.
 *
 * The event loop runs timers before it reads sockets. After a standstill replies may lie unread in the socket, so the loop
 * reads first, and late calls are rejected after that. A large reply does not fit into the socket: the rest of it is sent
 * only when the loop reads again, so a standstill prolongs the limit by its own length, up to `MOST_GRACE_MS`.
 */
import { clearTimeout, performance, setImmediate, setTimeout } from '../../../pacing/time-source.js';

/** A timer that is called this much late shows that the event loop stood still. */
const STANDSTILL_MS = 50;
const MOST_GRACE_MS = 1000;

interface Call {
  endsAt: number;
  giveUp(): void;
}

export class CallDeadlines {
  private readonly running = new Set<Call>();
  private readonly waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param lateError makes the error of a call that has not ended in time
   * @param translate makes the error of a call from the one with which its work failed
   */
  constructor(
    private readonly timeoutMs: number,
    private readonly lateError: () => Error,
    private readonly translate: (error: unknown) => Error,
  ) {}

  run<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const call: Call = { endsAt: performance.now() + this.timeoutMs, giveUp: () => reject(this.lateError()) };
      this.running.add(call);
      if (!this.timer) this.rejectLateIn(this.timeoutMs);
      work.then(
        (value) => {
          this.end(call);
          resolve(value);
        },
        (error: unknown) => {
          this.end(call);
          reject(this.translate(error));
        },
      );
    });
  }

  /** Resolves when no call is under way. */
  ended(): Promise<void> {
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Call it when no call is under way and none will follow. */
  close(): void {
    clearTimeout(this.timer);
  }

  private end(call: Call): void {
    if (this.running.delete(call) && this.running.size === 0) this.resolveWaiting();
  }

  private rejectLateIn(ms: number): void {
    const dueAt = performance.now() + ms;
    this.timer = setTimeout(() => {
      const lateMs = performance.now() - dueAt;
      if (lateMs < STANDSTILL_MS) this.rejectLateAfterReading();
      else this.timer = setTimeout(() => this.rejectLateAfterReading(), Math.min(lateMs, MOST_GRACE_MS));
    }, ms);
  }

  /** Waits for two turns of the event loop: the poll of the first may have begun before the replies came. */
  private rejectLateAfterReading(): void {
    setImmediate(() => setImmediate(() => this.rejectLate()));
  }

  /** Rejects the calls that are late, and sets the timer for the next one. */
  private rejectLate(): void {
    this.timer = undefined;
    const now = performance.now();
    for (const call of this.running) {
      if (call.endsAt > now) {
        this.rejectLateIn(call.endsAt - now);
        return;
      }
      this.running.delete(call);
      call.giveUp();
    }
    this.resolveWaiting();
  }

  private resolveWaiting(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
