/**
 * Slices of time that all receive queues of a node share. A handler that needs nothing but this thread goes on to the next
 * frame without a turn of the event loop. After each slice the loop serves everything else.
 */
import { performance, setImmediate } from './time-source.js';

const SLICE_MS = 5;

export class TimeSlices {
  private endsAt = 0;
  private next: Promise<void> | undefined;

  get isOver(): boolean {
    return this.next !== undefined || performance.now() >= this.endsAt;
  }

  /** Resolves after a turn of the event loop, when the next slice begins. */
  afterTurn(): Promise<void> {
    this.next ??= new Promise((resolve) =>
      setImmediate(() => {
        this.next = undefined;
        this.endsAt = performance.now() + SLICE_MS;
        resolve();
      }),
    );
    return this.next;
  }
}
