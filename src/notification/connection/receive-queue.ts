/**
 * The frames that one connection has sent and that are not answered yet. They are begun one after the other, in order.
 *
 *  1. The next frame begins when the one before it is answered, or has reached the engine (`Turn.handOver`): the engine keeps
 *     the order of calls, so that the answers of one connection share its commits. At most `bound` frames are in work.
 *  2. While `bound` frames wait, the socket is not read, until half of them are begun. A large frame counts as `bound` frames,
 *     and the next one waits until it is answered.
 *  3. No frame begins while the connection's replies wait to be sent (`room`): a client that does not read cannot make them
 *     pile up.
 */
import type { TimeSlices } from '../pacing/time-slices.js';

/** A frame's place among those in work. */
export interface Turn {
  /** Resolves when all earlier frames are answered; absent if they are. A reply is sent after it. */
  readonly earlier: Promise<void> | undefined;
  /** The frame has reached the engine: its handler only waits for the outcome. */
  handOver(): void;
}

interface Waiting<Frame> {
  frame: Frame;
  isLarge: boolean;
}

/** The connection whose frames wait. */
export interface FrameWork<Frame> {
  /** Handles one frame, which it answers after `turn.earlier`; must not reject. */
  handle(frame: Frame, turn: Turn): Promise<void>;
  /** Stops and resumes reading the socket. */
  pause(): void;
  resume(): void;
  /** Returns `undefined` if a reply can be queued now, otherwise a promise that resolves when it can. */
  room(): Promise<void> | undefined;
}

export class ReceiveQueue<Frame> {
  private readonly waiting: Waiting<Frame>[] = [];
  /** How many frames were received. */
  taken = 0;
  /** How many frames, in order, have reached the engine or are answered. */
  handedOver = 0;
  /** The turn of the frame that has begun last. */
  current: Turn | undefined;
  private inWork = 0;
  /** Resolves when every frame that has begun is answered. */
  private answered: Promise<void> | undefined;
  private beginning = false;
  private paused = false;
  private waitsForRoom = false;
  /** `ending`: it takes no more frames, and begins those that wait. `ended`: it begins none. */
  private phase: 'open' | 'ending' | 'ended' = 'open';
  private finished: (() => void)[] | undefined;

  constructor(
    private readonly bound: number,
    private readonly work: FrameWork<Frame>,
    private readonly slices: TimeSlices,
  ) {}

  push(frame: Frame, isLarge = false): void {
    if (this.phase !== 'open') return;
    this.waiting.push({ frame, isLarge });
    this.taken += 1;
    if (!this.paused && (isLarge || this.waiting.length >= this.bound)) {
      this.paused = true;
      this.work.pause();
    }
    if (!this.beginning) void this.beginAll();
  }

  /** Resolves when the frames that came so far are answered. */
  idle(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => (this.finished ??= []).push(resolve));
  }

  /** Whether the socket is not read because of work that takes its time, and not because the peer does not read. */
  get isHeldUp(): boolean {
    return this.paused && !this.waitsForRoom;
  }

  /** Drops the frames that nobody has begun to handle. Whether the socket is read from now on is up to the caller. */
  discard(): void {
    this.phase = 'ended';
    this.paused = false;
    this.waiting.length = 0;
  }

  /** Takes no more frames. The socket is gone; what came by it is still handled. */
  end(): void {
    if (this.phase === 'open') this.phase = 'ending';
    this.paused = false;
  }

  get isIdle(): boolean {
    return !this.beginning && this.inWork === 0;
  }

  private async beginAll(): Promise<void> {
    this.beginning = true;
    while (this.waiting.length > 0) {
      for (const next of this.waiting.splice(0, this.bound)) {
        const room = this.phase === 'open' ? this.work.room() : undefined;
        if (room) {
          this.waitsForRoom = true;
          await room;
          this.waitsForRoom = false;
        }
        if (this.phase === 'ended') break;
        await this.begin(next);
        if (this.slices.isOver) await this.slices.afterTurn();
      }
      if (this.paused && this.waiting.length < this.bound / 2) {
        this.paused = false;
        this.work.resume();
      }
    }
    this.beginning = false;
    this.checkIdle();
  }

  /** Begins a frame. Resolves when the next one may begin. */
  private async begin({ frame, isLarge }: Waiting<Frame>): Promise<void> {
    if (this.inWork >= this.bound) await this.answered;
    let handOver!: () => void;
    const reached = new Promise<void>((resolve) => (handOver = resolve));
    let isHandedOver = false;
    const turn: Turn = {
      earlier: this.inWork > 0 ? this.answered : undefined,
      handOver: () => {
        if (isHandedOver) return;
        isHandedOver = true;
        this.handedOver += 1;
        if (!isLarge) handOver();
      },
    };
    this.current = turn;
    this.inWork += 1;
    const done = this.work.handle(frame, turn).then(() => {
      turn.handOver();
      handOver();
      this.inWork -= 1;
      this.checkIdle();
    });
    this.answered = done;
    await reached;
  }

  private checkIdle(): void {
    if (!this.isIdle) return;
    // Most connections send a frame or two: a queue without work keeps nothing of the last one.
    this.answered = undefined;
    this.current = undefined;
    const { finished } = this;
    if (!finished) return;
    this.finished = undefined;
    for (const resolve of finished) resolve();
  }
}
