/**
 * The frames that one connection is still to be sent, bounded in bytes.
 *
 *  1. One write is under way at a time; the next one joins what has gathered meanwhile. All frames queued within one
 *     turn of the event loop leave in one write.
 *  2. A conflated frame replaces the queued one of the same key, in its place: a slow reader gets the newest.
 *  3. If the limit is passed nevertheless, `onOverflow` is called once, and no further frame is taken. An empty send queue
 *     takes a frame of any size: the limit is on the backlog.
 *  4. What all send queues write in one turn is bounded too (`write-scheduler.ts`). A queue that only waits for its turn is
 *     not slow: it is flushed early instead of overflowing.
 *  5. Sources (redelivery, recovery) are pulled one frame at a time while few bytes wait. They never overflow, and their
 *     frames do not count towards the limit. There is one source of each name: a newer one replaces it.
 */
import type { OutboundFrame } from './frame.js';
import { outcomeOf, resume, type FrameSource } from './frame-source.js';
import type { Writer, WriteScheduler } from '../pacing/write-scheduler.js';

/**
 * Writes bytes; calls back, in a later tick, when the socket has taken them.
 * @returns whether it has taken them already
 */
export type Write = (bytes: Buffer, written: (error?: Error | null) => void) => boolean;

interface Entry {
  bytes: Buffer;
  type: string;
  key?: string;
  /** Pulled from a source. */
  sourced: boolean;
}

/** The most that one write combines, in bytes. Sources are pulled while fewer bytes wait. */
const WRITE_SIZE = 65_536;

export class SendQueue implements Writer {
  queuedBytes = 0;
  private awaitsTurn = false;
  private queue: Entry[] = [];
  private readonly conflated = new Map<string, Entry>();
  private readonly sources = new Map<string, FrameSource>();
  private roomAwaited: (() => void)[] = [];
  private writing = false;
  /** Of the write under way, what the socket has not taken. */
  private bytesInFlight = 0;
  private framesInFlight = 0;
  /** Of these two, what came from sources. */
  private sourcedBytes = 0;
  private sourcedInFlight = 0;
  private pulling = false;
  private closed = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    private readonly compress: boolean,
    private readonly writes: WriteScheduler,
    private readonly write: Write,
    private readonly onOverflow: (dropped: number) => void,
    private readonly onSourceError: (error: unknown) => void,
    /** A frame is handed to the socket. */
    private readonly onSent: (type: string, bytes: number) => void = () => undefined,
  ) {}

  /** Bytes that wait or are on their way into the socket. */
  get waitingBytes(): number {
    return this.queuedBytes + this.bytesInFlight;
  }

  /** How many sources wait to be read. */
  get waitingSources(): number {
    return this.sources.size;
  }

  push(frame: OutboundFrame, key?: string): void {
    if (this.closed) return;
    const bytes = frame.wire(this.compress);
    let overflows = this.wouldOverflow(bytes, key);
    if (overflows && this.awaitsTurn) {
      this.flush();
      overflows = this.wouldOverflow(bytes, key);
    }
    const earlier = this.waiting(key);
    if (earlier) {
      this.queuedBytes += bytes.length - earlier.bytes.length;
      earlier.bytes = bytes;
    } else {
      this.enqueue({ bytes, type: frame.type, key, sourced: false });
    }
    if (overflows) {
      this.onOverflow(this.discard());
    }
  }

  /** Lets `source` be read at the pace at which the socket drains, in place of an earlier one of this name. */
  follow(name: string, source: FrameSource): void {
    this.unfollow(name);
    if (this.closed) return void source.return();
    this.sources.set(name, source);
    void this.pull();
  }

  /** Drops a source, and what it still had to bring. */
  unfollow(name: string): void {
    const source = this.sources.get(name);
    this.sources.delete(name);
    source?.return();
  }

  /** Returns `undefined` if less than half the limit waits, otherwise a promise for that moment or for the close. */
  room(): Promise<void> | undefined {
    return this.hasRoom ? undefined : new Promise((resolve) => this.roomAwaited.push(resolve));
  }

  /** Resolves when everything that waits, sources aside, is in the socket. */
  drained(): Promise<void> {
    if (this.closed || this.waitingBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** Drops what waits and takes nothing more. @returns the frames that are not known to have reached the socket */
  discard(): number {
    const dropped = this.queue.length + this.framesInFlight;
    this.framesInFlight = 0;
    this.closed = true;
    this.queue = [];
    this.conflated.clear();
    this.queuedBytes = 0;
    this.sourcedBytes = 0;
    for (const name of [...this.sources.keys()]) this.unfollow(name);
    this.settleIdle();
    this.settleRoom();
    return dropped;
  }

  takeTurn(): void {
    this.awaitsTurn = false;
    this.flush();
  }

  /** Writes what waits, if nothing is under way. */
  flush(): void {
    if (this.closed || this.writing || this.queue.length === 0) return;
    // Usually one frame waits. This path allocates no array, because a broadcast runs it for every connection.
    const only = this.queue.length === 1 ? this.queue.pop() : undefined;
    if (only) {
      this.leave(only);
      this.hand(only.bytes);
      return;
    }
    const batch = this.nextBatch();
    for (const entry of batch) this.leave(entry);
    const [first] = batch;
    const parts = batch.map(({ bytes }) => bytes);
    this.hand(parts.length === 1 && first ? first.bytes : Buffer.concat(parts, this.bytesInFlight));
  }

  private hand(bytes: Buffer): void {
    this.writing = true;
    if (!this.write(bytes, this.onWritten)) return;
    this.framesInFlight = 0;
    this.bytesInFlight = 0;
    this.sourcedInFlight = 0;
  }

  private waiting(key: string | undefined): Entry | undefined {
    return key === undefined ? undefined : this.conflated.get(key);
  }

  /** Whether one frame more is too many. */
  private wouldOverflow(bytes: Buffer, key: string | undefined): boolean {
    const backlog = this.waitingBytes - this.sourcedBytes - this.sourcedInFlight - (this.waiting(key)?.bytes.length ?? 0);
    return backlog > 0 && backlog + bytes.length > this.limit;
  }

  /** From what waits to what is in flight. */
  private leave({ bytes, type, sourced, key }: Entry): void {
    this.onSent(type, bytes.length);
    this.queuedBytes -= bytes.length;
    this.framesInFlight += 1;
    this.bytesInFlight += bytes.length;
    if (sourced) {
      this.sourcedBytes -= bytes.length;
      this.sourcedInFlight += bytes.length;
    }
    if (key !== undefined) this.conflated.delete(key);
  }

  /** As many as are joined into one write; mostly that is all. */
  private nextBatch(): Entry[] {
    const { queue } = this;
    let count = 0;
    for (let size = 0; count < queue.length && (size === 0 || size < WRITE_SIZE); count += 1)
      size += queue[count]?.bytes.length ?? 0;
    if (count < queue.length) return queue.splice(0, count);
    this.queue = [];
    return queue;
  }

  /** A failed write is followed by the socket's close, which discards the send queue. */
  private readonly onWritten = (): void => {
    this.writing = false;
    this.framesInFlight = 0;
    this.bytesInFlight = 0;
    this.sourcedInFlight = 0;
    if (this.queue.length > 0) this.flush();
    else if (this.idle.length > 0) this.settleIdle();
    this.settleRoom();
    if (this.sources.size > 0) void this.pull();
  };

  private enqueue(entry: Entry): void {
    this.queue.push(entry);
    if (entry.key !== undefined) this.conflated.set(entry.key, entry);
    this.queuedBytes += entry.bytes.length;
    if (entry.sourced) this.sourcedBytes += entry.bytes.length;
    this.writes.count(entry.bytes.length);
    if (this.awaitsTurn) return;
    this.awaitsTurn = true;
    this.writes.add(this);
  }

  private async pull(): Promise<void> {
    if (this.pulling) return;
    this.pulling = true;
    try {
      for (let [current] = this.sources; current && this.waitingBytes < WRITE_SIZE; [current] = this.sources) {
        const [name, source] = current;
        const isCurrent = (): boolean => this.sources.get(name) === source;
        let next = source.next();
        while (next.value instanceof Promise && isCurrent()) {
          const outcome = await outcomeOf(next.value);
          if (isCurrent()) next = resume(source, outcome);
        }
        if (!isCurrent()) continue;
        if (next.done) this.sources.delete(name);
        else if (!(next.value instanceof Promise))
          this.enqueue({ bytes: next.value.wire(this.compress), type: next.value.type, sourced: true });
      }
    } catch (error) {
      if (!this.closed) this.onSourceError(error);
    } finally {
      this.pulling = false;
    }
  }

  private get hasRoom(): boolean {
    return this.closed || this.waitingBytes - this.sourcedBytes - this.sourcedInFlight < this.limit / 2;
  }

  private settleRoom(): void {
    if (this.roomAwaited.length > 0 && this.hasRoom) for (const resolve of this.roomAwaited.splice(0)) resolve();
  }

  private settleIdle(): void {
    for (const resolve of this.idle.splice(0)) resolve();
  }
}
