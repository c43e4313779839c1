/**
 * Whether enough replicas have what was written before: WAIT, which speaks of its own connection's writes only, and holds
 * that connection up.
 *
 *  1. A mark is written before each WAIT, so that there is a write to wait for: a call that found all done already, and
 *     what another node did, count as well.
 *  2. One WAIT serves everybody whose write had answered before, and lasts a slice at most; who comes meanwhile goes with
 *     the next.
 *  3. When the connection breaks, everybody who waits is rejected, before there can be another one: a WAIT on that, to a
 *     promoted replica perhaps, says nothing of what was written on this.
 */
import { EngineUnavailableError } from '../../../notification.errors.js';
import { monotonicMs } from '../../../pacing/monotonic.js';

const SLICE_MS = 100;

export interface ReplicasOptions {
  /** How many must have it. */
  needed: number;
  /** For how long a caller waits. */
  patienceMs: number;
  /** Writes the mark to a partition, then waits for so many milliseconds. @returns how many have it; rejects while there is no connection */
  wait(root: string, ms: number): Promise<number>;
}

interface Caller {
  root: string;
  until: number;
  resolve(): void;
  reject(error: Error): void;
}

export class Replicas {
  private callers: Caller[] = [];
  private asking = false;

  constructor(private readonly options: ReplicasOptions) {}

  /** Resolves when they have all that had answered before this call. @throws EngineUnavailableError */
  have(root: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.callers.push({ root, until: monotonicMs() + this.options.patienceMs, resolve, reject });
      if (!this.asking) void this.ask();
    });
  }

  private async ask(): Promise<void> {
    this.asking = true;
    const { needed } = this.options;
    while (this.callers.length > 0) {
      const asked = this.callers;
      this.callers = [];
      try {
        const reached = await this.options.wait(asked.at(-1)?.root ?? '', SLICE_MS);
        if (reached >= needed) for (const caller of asked) caller.resolve();
        else this.again(asked, reached);
      } catch (error) {
        for (const caller of asked) caller.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.asking = false;
  }

  private again(asked: Caller[], reached: number): void {
    const error = `only ${reached} of ${this.options.needed} replicas have it; repeating the call is safe`;
    const now = monotonicMs();
    for (const caller of asked) {
      if (caller.until <= now) caller.reject(new EngineUnavailableError(error));
      else this.callers.push(caller);
    }
  }
}
