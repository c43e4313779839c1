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

/** What a send queue writes to. */
export interface SendSocket {
  /**
   * Writes bytes; calls back, in a later tick, when the socket has taken them.
   * @returns whether it has taken them already
   */
  write(bytes: Buffer, written: (error?: Error | null) => void): boolean;
}

/** What a send queue reports. */
export interface SendEvents {
  /** The peer is too slow: nothing more is queued. */
  onOverflow(): void;
  /** A recovery or redelivery has failed. */
  onSourceError(error: unknown): void;
  /** Frames that the peer did not get, because it was too slow or is gone. */
  onDropped?(frames: number): void;
  /** A frame was handed to the socket. */
  onSent?(type: string, bytes: number): void;
}

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
  /** Most connections have none of these: they are made when they are needed. */
  private conflated: Map<string, Entry> | undefined;
  private sources: Map<string, FrameSource> | undefined;
  private roomAwaited: (() => void)[] | undefined;
  private writing = false;
  /** Of the write under way, what the socket has not taken. */
  private bytesInFlight = 0;
  private framesInFlight = 0;
  /** Of these two, what came from sources. */
  private sourcedBytes = 0;
  private sourcedInFlight = 0;
  private pulling = false;
  private closed = false;
  private idle: (() => void)[] | undefined;

  constructor(
    private readonly limit: number,
    private readonly compress: boolean,
    private readonly writes: WriteScheduler,
    private readonly socket: SendSocket,
    private readonly events: SendEvents,
  ) {}

  /** Bytes that wait or are on their way into the socket. */
  get waitingBytes(): number {
    return this.queuedBytes + this.bytesInFlight;
  }

  /** How many sources wait to be read. */
  get waitingSources(): number {
    return this.sources?.size ?? 0;
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
      this.discard();
      this.events.onOverflow();
    }
  }

  /** Lets `source` be read at the pace at which the socket drains, in place of an earlier one of this name. */
  follow(name: string, source: FrameSource): void {
    this.unfollow(name);
    if (this.closed) return void source.return();
    this.sources ??= new Map();
    this.sources.set(name, source);
    void this.pull();
  }

  /** Drops a source, and what it still had to bring. */
  unfollow(name: string): void {
    const source = this.sources?.get(name);
    this.forget(name);
    source?.return();
  }

  /** Returns `undefined` if less than half the limit waits, otherwise a promise for that moment or for the close. */
  room(): Promise<void> | undefined {
    return this.hasRoom ? undefined : new Promise((resolve) => (this.roomAwaited ??= []).push(resolve));
  }

  /** Resolves when everything that waits, sources aside, is in the socket. */
  drained(): Promise<void> {
    if (this.closed || this.waitingBytes === 0) return Promise.resolve();
    return new Promise((resolve) => (this.idle ??= []).push(resolve));
  }

  /** Drops what waits and takes nothing more. Frames that are not known to have reached the socket count as dropped. */
  discard(): void {
    const dropped = this.queue.length + this.framesInFlight;
    this.framesInFlight = 0;
    this.closed = true;
    this.queue = [];
    this.conflated = undefined;
    this.queuedBytes = 0;
    this.sourcedBytes = 0;
    for (const name of [...(this.sources?.keys() ?? [])]) this.unfollow(name);
    this.settleIdle();
    this.settleRoom();
    if (dropped > 0) this.events.onDropped?.(dropped);
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
    if (!this.socket.write(bytes, this.onWritten)) return;
    this.framesInFlight = 0;
    this.bytesInFlight = 0;
    this.sourcedInFlight = 0;
  }

  private waiting(key: string | undefined): Entry | undefined {
    return key === undefined ? undefined : this.conflated?.get(key);
  }

  /** Whether one frame more is too many. */
  private wouldOverflow(bytes: Buffer, key: string | undefined): boolean {
    const backlog = this.waitingBytes - this.sourcedBytes - this.sourcedInFlight - (this.waiting(key)?.bytes.length ?? 0);
    return backlog > 0 && backlog + bytes.length > this.limit;
  }

  /** From what waits to what is in flight. */
  private leave({ bytes, type, sourced, key }: Entry): void {
    this.events.onSent?.(type, bytes.length);
    this.queuedBytes -= bytes.length;
    this.framesInFlight += 1;
    this.bytesInFlight += bytes.length;
    if (sourced) {
      this.sourcedBytes -= bytes.length;
      this.sourcedInFlight += bytes.length;
    }
    if (key !== undefined) this.conflated?.delete(key);
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
    else this.settleIdle();
    this.settleRoom();
    if (this.sources) void this.pull();
  };

  private enqueue(entry: Entry): void {
    this.queue.push(entry);
    if (entry.key !== undefined) (this.conflated ??= new Map()).set(entry.key, entry);
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
      for (let current = this.firstSource; current && this.waitingBytes < WRITE_SIZE; current = this.firstSource) {
        const [name, source] = current;
        const isCurrent = (): boolean => this.sources?.get(name) === source;
        let next = source.next();
        while (next.value instanceof Promise && isCurrent()) {
          const outcome = await outcomeOf(next.value);
          if (isCurrent()) next = resume(source, outcome);
        }
        if (!isCurrent()) continue;
        if (next.done) this.forget(name);
        else if (!(next.value instanceof Promise))
          this.enqueue({ bytes: next.value.wire(this.compress), type: next.value.type, sourced: true });
      }
    } catch (error) {
      if (!this.closed) this.events.onSourceError(error);
    } finally {
      this.pulling = false;
    }
  }

  private get firstSource(): [string, FrameSource] | undefined {
    if (!this.sources) return undefined;
    const [first] = this.sources;
    return first;
  }

  private forget(name: string): void {
    if (this.sources?.delete(name) && this.sources.size === 0) this.sources = undefined;
  }

  private get hasRoom(): boolean {
    return this.closed || this.waitingBytes - this.sourcedBytes - this.sourcedInFlight < this.limit / 2;
  }

  private settleRoom(): void {
    const { roomAwaited } = this;
    if (!roomAwaited || !this.hasRoom) return;
    this.roomAwaited = undefined;
    for (const resolve of roomAwaited) resolve();
  }

  private settleIdle(): void {
    const { idle } = this;
    if (!idle) return;
    this.idle = undefined;
    for (const resolve of idle) resolve();
  }
}
