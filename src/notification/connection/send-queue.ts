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
import type { FrameSource } from './frame-source.js';
import { Sources } from './sources.js';
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
  private sources: Sources | undefined;
  private writing = false;
  /** Of the write under way, what the socket has not taken. */
  private bytesInFlight = 0;
  private framesInFlight = 0;
  /** Of these two, what came from sources. */
  private sourcedBytes = 0;
  private sourcedInFlight = 0;
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
    if (this.closed) return void source.return();
    this.sources ??= this.newSources();
    this.sources.add(name, source);
  }

  /** Drops a source, and what it still had to bring. */
  unfollow(name: string): void {
    this.sources?.drop(name);
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
    this.sources?.dropAll();
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
    const { only, several } = this;
    if (only) {
      this.only = undefined;
      const bytes = only.wire(this.compress);
      this.events.onSent?.(only.type, bytes.length);
      this.hand(bytes, 1, only.isSourced ? bytes.length : 0);
    } else if (several) {
      this.flushSeveral(several);
    }
  }

  private flushSeveral(several: WaitingFrames): void {
    const frames = several.take(WRITE_SIZE, this.compress);
    if (several.length === 0) this.several = undefined;
    const parts: Buffer[] = [];
    let sourced = 0;
    for (const frame of frames) {
      const bytes = frame.wire(this.compress);
      if (frame.isSourced) sourced += bytes.length;
      parts.push(bytes);
      this.events.onSent?.(frame.type, bytes.length);
    }
    this.hand(this.pacing.joiner.join(parts), parts.length, sourced);
  }

  private hand(bytes: Buffer, frames: number, sourced: number): void {
    this.queuedBytes -= bytes.length;
    this.sourcedBytes -= sourced;
    if (this.socket.write(bytes, this.onWritten)) {
      // One write a turn.
      if (this.queuedBytes > 0) this.awaitTurn(false);
      else this.settle();
      return;
    }
    this.writing = true;
    this.bytesInFlight = bytes.length;
    this.framesInFlight = frames;
    this.sourcedInFlight = sourced;
  }

  /** A failed write is followed by the socket's close, which discards the send queue. */
  private readonly onWritten = (): void => {
    this.writing = false;
    this.bytesInFlight = 0;
    this.framesInFlight = 0;
    this.sourcedInFlight = 0;
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

  private settle(): void {
    if (this.waitingBytes === 0) this.settleIdle();
    this.settleRoom();
    if (this.sources) void this.sources.read();
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

  private newSources(): Sources {
    return new Sources({
      takesMore: () => this.waitingBytes < WRITE_SIZE,
      take: (frame) => this.enqueue(new SourcedFrame(frame), frame.wire(this.compress).length, false),
      onError: (error) => {
        if (!this.closed) this.events.onSourceError(error);
      },
      onEnd: () => (this.sources = undefined),
    });
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
