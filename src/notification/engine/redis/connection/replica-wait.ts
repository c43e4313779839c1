/**
 * Waits until enough replicas have what was written before: WAIT, which covers its own connection's writes only, and holds
 * that connection up.
 *
 *  1. A mark is written before each WAIT, so that the connection has a write to wait for. This covers a call that changed
 *     nothing, and what another node wrote.
 *  2. One WAIT serves every caller whose write was answered before it, and lasts one slice at most. Later callers go with
 *     the next WAIT.
 *  3. When the connection breaks, every caller is rejected before there is another connection. A WAIT on a new connection,
 *     perhaps to a promoted replica, says nothing about writes on the old one.
 */
import { EngineUnavailableError } from '../../../notification.errors.js';
import { monotonicMs } from '../../../pacing/time-source.js';

const SLICE_MS = 100;

export interface ReplicaWaitOptions {
  /** How many replicas must have it. */
  needed: number;
  /** How long a caller waits. */
  patienceMs: number;
  /** Writes the mark to a partition, then waits up to `ms`. @returns how many replicas have it; rejects while there is no connection */
  wait(root: string, ms: number): Promise<number>;
}

interface Caller {
  root: string;
  until: number;
  resolve(): void;
  reject(error: Error): void;
}

export class ReplicaWait {
  private callers: Caller[] = [];
  private asking = false;

  constructor(private readonly options: ReplicaWaitOptions) {}

  /** Resolves when the replicas have all that was answered before this call. @throws EngineUnavailableError */
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
        else this.askAgain(asked, reached);
      } catch (error) {
        for (const caller of asked) caller.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.asking = false;
  }

  private askAgain(asked: Caller[], reached: number): void {
    const error = `only ${reached} of ${this.options.needed} replicas have it; repeating the call is safe`;
    const now = monotonicMs();
    for (const caller of asked) {
      if (caller.until <= now) caller.reject(new EngineUnavailableError(error));
      else this.callers.push(caller);
    }
  }
}
