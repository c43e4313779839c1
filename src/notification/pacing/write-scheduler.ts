/**
 * Bounds how many bytes all send queues write in one turn of the event loop, so that a reply does not wait until hundreds of
 * other connections have been written their megabytes.
 *
 * A write costs most for a socket that nobody reads: the kernel takes ten times as long once the receive buffer is nearly
 * full (measured on Linux 6.18: 270 µs for 64 KB, else 20 µs).
 */
import { setImmediate } from './time-source.js';

export interface Writer {
  /** Bytes that wait for this writer's turn. */
  readonly queuedBytes: number;
  takeTurn(): void;
}

/** Bytes that are written in one turn. The last writer may exceed it. */
const TURN_SIZE = 262_144;
/** A writer with at most this many bytes is always served. */
const LITTLE = 8192;

export class WriteScheduler {
  /** In order of arrival. While it is not empty, an immediate is due. A function is called when all before it have had their turn. */
  private queue: (Writer | (() => void))[] = [];
  /** About how many bytes the writers in the queue will write. */
  private bytes = 0;

  /** Gives `writer` a turn. Until then it does not ask again. */
  add(writer: Writer): void {
    if (this.queue.length === 0) setImmediate(this.takeTurns);
    this.queue.push(writer);
  }

  /** Counts bytes that are to be written in some writer's turn. */
  count(size: number): void {
    this.bytes += size;
  }

  /**
   * Resolves at once if everything queued fits into one turn, otherwise after that turn. Senders that await it send no faster
   * than the node writes.
   */
  async turnsTaken(): Promise<void> {
    if (this.bytes > TURN_SIZE && this.queue.length > 0) await new Promise<void>((resolve) => this.queue.push(resolve));
  }

  private readonly takeTurns = (): void => {
    const present = this.queue;
    this.queue = [];
    this.bytes = 0;
    let left = TURN_SIZE;
    for (const one of present) {
      if (typeof one === 'function') {
        if (this.queue.length > 0) this.queue.push(one);
        else one();
        continue;
      }
      const size = one.queuedBytes;
      if (left > 0 || size <= LITTLE) {
        left -= size;
        one.takeTurn();
      } else {
        this.queue.push(one);
        this.bytes += size;
      }
    }
    if (this.queue.length > 0) setImmediate(this.takeTurns);
  };
}
