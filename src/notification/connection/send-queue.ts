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
 *
 * A broadcast runs `push` and `flush` for every connection. Where one frame waits for a socket that takes it at once, they
 * allocate nothing.
 */
import { SourcedFrame, type OutboundFrame, type QueuedFrame } from './frame.js';
import { outcomeOf, resume, type FrameSource } from './frame-source.js';
import { WaitingFrames } from './waiting-frames.js';
import type { Pacing } from '../pacing/pacing.js';
import type { Lane, Writer } from '../pacing/write-scheduler.js';

/** What a send queue writes to. */
export interface SendSocket {
  /**
   * Writes bytes.
   * @returns whether the socket has taken them. If not, it calls `written`, in a later tick, when it has.
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

/** The most that one write combines, in bytes. Sources are pulled while fewer bytes wait. */
const WRITE_SIZE = 65_536;
/** What has more bytes to write waits in the lane `later`. */
const LITTLE = 8192;

export class SendQueue implements Writer {
  queuedBytes = 0;
  /** The frame that waits, if it is the only one. */
  private only: QueuedFrame | undefined;
  /** The frames that wait, otherwise. */
  private several: WaitingFrames | undefined;
  /** The lanes in which it waits for a turn. The first turn writes everything; the other one may find nothing. */
  private awaitsSoon = false;
  private awaitsLater = false;
  private sources: Map<string, FrameSource> | undefined;
  private writing = false;
  /** Of the write under way, what the socket has not taken. */
  private bytesInFlight = 0;
  private framesInFlight = 0;
  /** Of these two, what came from sources. */
  private sourcedBytes = 0;
  private sourcedInFlight = 0;
  private pulling = false;
  private closed = false;
  private roomAwaited: (() => void)[] | undefined;
  private idleAwaited: (() => void)[] | undefined;

  constructor(
    private readonly limit: number,
    private readonly compress: boolean,
    private readonly pacing: Pick<Pacing, 'writes' | 'joiner'>,
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

  /** @param isBulk frames to fewer connections may leave first */
  push(frame: OutboundFrame, isBulk = false): void {
    if (this.closed) return;
    const size = frame.wire(this.compress).length;
    let overflows = this.wouldOverflow(frame, size);
    if (overflows && (this.awaitsSoon || this.awaitsLater)) {
      this.flush();
      overflows = this.wouldOverflow(frame, size);
    }
    const earlier = this.waiting(frame);
    if (earlier) this.replace(earlier, frame);
    else this.enqueue(frame, size, isBulk);
    if (!overflows) return;
    this.discard();
    this.events.onOverflow();
  }

  /** Lets `source` be read at the pace at which the socket drains, in place of an earlier one of this name. */
  follow(name: string, source: FrameSource): void {
    this.unfollow(name);
    if (this.closed) return void source.return();
    (this.sources ??= new Map()).set(name, source);
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
    return new Promise((resolve) => (this.idleAwaited ??= []).push(resolve));
  }

  /** Drops what waits and takes nothing more. What is in flight may still reach the peer, unless the socket is gone. */
  discard(isSocketGone = false): void {
    const dropped = (this.only ? 1 : (this.several?.length ?? 0)) + (isSocketGone ? this.framesInFlight : 0);
    if (isSocketGone) this.framesInFlight = 0;
    this.closed = true;
    this.only = undefined;
    this.several = undefined;
    this.queuedBytes = 0;
    this.sourcedBytes = 0;
    for (const name of [...(this.sources?.keys() ?? [])]) this.unfollow(name);
    this.settleIdle();
    this.settleRoom();
    if (dropped > 0) this.events.onDropped?.(dropped);
  }

  takeTurn(lane: Lane): void {
    if (lane === 'soon') this.awaitsSoon = false;
    else this.awaitsLater = false;
    this.flush();
  }

  /** Writes what waits, up to `WRITE_SIZE`, if nothing is under way. */
  flush(): void {
    if (this.closed || this.writing) return;
    const { only, several, compress } = this;
    if (only) {
      this.only = undefined;
      const bytes = only.wire(compress);
      this.leave(only, bytes.length);
      this.hand(bytes);
    } else if (several) {
      const parts = several.take(WRITE_SIZE, compress).map((frame) => {
        const bytes = frame.wire(compress);
        this.leave(frame, bytes.length);
        return bytes;
      });
      if (several.length === 0) this.several = undefined;
      this.hand(this.pacing.joiner.join(parts));
    }
  }

  private hand(bytes: Buffer): void {
    this.writing = true;
    if (!this.socket.write(bytes, this.onWritten)) return;
    this.land();
    // One write a turn.
    if (this.queuedBytes > 0) this.awaitTurn(false);
    else this.settle();
  }

  /** A failed write is followed by the socket's close, which discards the send queue. */
  private readonly onWritten = (): void => {
    this.land();
    if (this.queuedBytes > 0) this.flush();
    this.settle();
  };

  /** The waiting frame that `frame` replaces. */
  private waiting({ conflationKey }: QueuedFrame): QueuedFrame | undefined {
    if (conflationKey === undefined) return undefined;
    return this.only?.conflationKey === conflationKey ? this.only : this.several?.find(conflationKey);
  }

  private replace(earlier: QueuedFrame, frame: QueuedFrame): void {
    this.queuedBytes += frame.wire(this.compress).length - earlier.wire(this.compress).length;
    if (this.only) this.only = frame;
    else this.several?.replace(frame);
  }

  /** Whether one frame more is too many. */
  private wouldOverflow(frame: QueuedFrame, size: number): boolean {
    const { waitingBytes } = this;
    if (waitingBytes + size <= this.limit) return false;
    const replaced = this.waiting(frame)?.wire(this.compress).length ?? 0;
    const backlog = waitingBytes - this.sourcedBytes - this.sourcedInFlight - replaced;
    return backlog > 0 && backlog + size > this.limit;
  }

  /** From what waits to what is in flight. */
  private leave({ type, isSourced }: QueuedFrame, size: number): void {
    this.events.onSent?.(type, size);
    this.queuedBytes -= size;
    this.framesInFlight += 1;
    this.bytesInFlight += size;
    if (!isSourced) return;
    this.sourcedBytes -= size;
    this.sourcedInFlight += size;
  }

  /** What was in flight is in the socket. */
  private land(): void {
    this.writing = false;
    this.framesInFlight = 0;
    this.bytesInFlight = 0;
    this.sourcedInFlight = 0;
  }

  private settle(): void {
    if (this.waitingBytes === 0) this.settleIdle();
    this.settleRoom();
    if (this.sources) void this.pull();
  }

  private enqueue(frame: QueuedFrame, size: number, isBulk: boolean): void {
    if (this.several) {
      this.several.add(frame);
    } else if (this.only) {
      this.several = new WaitingFrames();
      this.several.add(this.only);
      this.several.add(frame);
      this.only = undefined;
    } else {
      this.only = frame;
    }
    this.queuedBytes += size;
    if (frame.isSourced) this.sourcedBytes += size;
    this.pacing.writes.count(size);
    this.awaitTurn(isBulk);
  }

  private awaitTurn(isBulk: boolean): void {
    if (isBulk || this.queuedBytes > LITTLE) {
      if (this.awaitsLater) return;
      this.awaitsLater = true;
      this.pacing.writes.add(this, 'later');
    } else if (!this.awaitsSoon) {
      this.awaitsSoon = true;
      this.pacing.writes.add(this, 'soon');
    }
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
          this.enqueue(new SourcedFrame(next.value), next.value.wire(this.compress).length, false);
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
    const { idleAwaited } = this;
    if (!idleAwaited) return;
    this.idleAwaited = undefined;
    for (const resolve of idleAwaited) resolve();
  }
}
