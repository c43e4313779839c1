/**
 * Divides the time in which a node writes among its send queues.
 *
 *  1. Each turn of the event loop writes for a bounded time and about `TURN_SIZE` bytes. Then the loop reads, so that a
 *     broadcast to thousands of connections does not delay questions.
 *  2. The lane `soon` is served first: replies, prompts and messages to one user, while they are small.
 *     The lane `later` holds broadcasts and large backlogs. Every turn serves some of them.
 *  3. Each lane is served in order of arrival.
 *
 * A write costs most for a socket that nobody reads: the kernel takes ten times as long once the receive buffer is nearly
 * full (measured on Linux 6.18: 270 µs for 64 KB, else 20 µs).
 */
import { performance, setImmediate } from './time-source.js';

export type Lane = 'soon' | 'later';

export interface Writer {
  /** Bytes that wait for this writer's turn. */
  readonly queuedBytes: number;
  /** Writes what waits, if anything does. */
  takeTurn(lane: Lane): void;
}

/** How long one turn serves each lane, in milliseconds. */
const SOON_MS = 5;
const LATER_MS = 2;
/** Bytes that one turn writes for the lane `later`. The last writer may exceed it. */
const TURN_SIZE = 262_144;
/** More writers in the lane `later` need more than one turn: a write takes about 7 µs. */
const TURN_WRITERS = 256;
/** How many writers are served between two readings of the clock, unless they have much to write. Each lane gets as many a turn. */
const STRIDE = 16;
/** The clock is read after a writer with more bytes. */
const LITTLE = 8192;

export class WriteScheduler {
  private soon: Writer[] = [];
  /** A function is called when everything before it has had its turn. */
  private later: (Writer | (() => void))[] = [];
  /** Bytes that were queued since the last turn. */
  private bytes = 0;
  /** The last turn left something in the lane `later`. */
  private isBehind = false;
  /** An immediate is due. */
  private isDue = false;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Gives `writer` a turn. Until then it does not ask again in this lane. */
  add(writer: Writer, lane: Lane): void {
    if (lane === 'soon') this.soon.push(writer);
    else this.later.push(writer);
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(this.takeTurns);
  }

  /** Counts bytes that are to be written in some writer's turn. */
  count(size: number): void {
    this.bytes += size;
  }

  /**
   * Resolves at once if everything queued fits into one turn, otherwise when it has been written. Senders that await it send
   * no faster than the node writes.
   * @param isBulk the sender has queued frames in the lane `later`
   */
  async turnsTaken(isBulk: boolean): Promise<void> {
    const isLate = this.bytes > TURN_SIZE || (isBulk && (this.isBehind || this.later.length > TURN_WRITERS));
    if (this.isDue && isLate) await new Promise<void>((resolve) => this.later.push(resolve));
  }

  private readonly takeTurns = (): void => {
    const { soon, later } = this;
    [this.soon, this.later, this.bytes] = [[], [], 0];
    const soonServed = this.serve(soon, 'soon', SOON_MS, Infinity);
    const laterServed = this.serve(later, 'later', LATER_MS, TURN_SIZE);
    if (soonServed < soon.length) this.soon = soon.slice(soonServed).concat(this.soon);
    this.isBehind = laterServed < later.length;
    if (this.isBehind) this.later = later.slice(laterServed).concat(this.later);
    this.isDue = this.soon.length > 0 || this.later.length > 0;
    if (this.isDue) setImmediate(this.takeTurns);
  };

  /** Serves a lane until it has had its time or its bytes. @returns how many were served */
  private serve(waiting: readonly (Writer | (() => void))[], lane: Lane, ms: number, bytes: number): number {
    if (waiting.length === 0) return 0;
    const endsAt = this.now() + ms;
    let [served, untilReading, left] = [0, STRIDE, bytes];
    for (const one of waiting) {
      if (typeof one === 'function') {
        one();
      } else {
        if (left <= 0) break;
        if (untilReading <= 0) {
          if (this.now() >= endsAt) break;
          untilReading = STRIDE;
        }
        const size = one.queuedBytes;
        left -= size;
        untilReading -= size > LITTLE ? STRIDE : 1;
        one.takeTurn(lane);
      }
      served += 1;
    }
    return served;
  }
}
