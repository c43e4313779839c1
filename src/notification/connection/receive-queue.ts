/**
 * The frames that one connection has sent and that are not answered yet. They are handled one after the other, in order.
 *
 * While `bound` of them wait, the socket is not read, until half of them are done. A large one counts as `bound` frames. The next frame is not handled while the
 * connection's replies wait to be sent (`room`): a client that does not read cannot make them pile up.
 */
import type { TimeSlices } from '../pacing/time-slices.js';

/** The connection whose frames wait. */
export interface FrameWork<Frame> {
  /** Handles one frame; must not reject. */
  handle(frame: Frame): Promise<void>;
  /** Stops and resumes reading the socket. */
  pause(): void;
  resume(): void;
  /** Returns `undefined` if a reply can be queued now, otherwise a promise that resolves when it can. */
  room(): Promise<void> | undefined;
}

export class ReceiveQueue<Frame> {
  private readonly waiting: Frame[] = [];
  /** How many frames were received. */
  taken = 0;
  /** How many frames were handled. */
  private handled = 0;
  private isHandedOver = false;
  private working = false;
  private paused = false;
  private waitsForRoom = false;
  private closed = false;
  private finished: (() => void)[] | undefined;

  constructor(
    private readonly bound: number,
    private readonly work: FrameWork<Frame>,
    private readonly slices: TimeSlices,
  ) {}

  push(frame: Frame, isLarge = false): void {
    if (this.closed) return;
    this.waiting.push(frame);
    this.taken += 1;
    if (!this.paused && (isLarge || this.waiting.length >= this.bound)) {
      this.paused = true;
      this.work.pause();
    }
    if (!this.working) void this.run();
  }

  get handedOver(): number {
    return this.handled + Number(this.isHandedOver);
  }

  /** The frame in work has reached the engine: its handler only waits for the reply. */
  handOver(): void {
    this.isHandedOver = this.working;
  }

  /** Resolves when the frames that came so far are answered. */
  idle(): Promise<void> {
    return this.working ? new Promise((resolve) => (this.finished ??= []).push(resolve)) : Promise.resolve();
  }

  /** Whether the socket is not read because of work that takes its time, and not because the peer does not read. */
  get isHeldUp(): boolean {
    return this.paused && !this.waitsForRoom;
  }

  /** Drops the frames that nobody has begun to handle. Whether the socket is read from now on is up to the caller. */
  discard(): void {
    this.closed = true;
    this.paused = false;
    this.waiting.length = 0;
  }

  private async run(): Promise<void> {
    this.working = true;
    while (this.waiting.length > 0) {
      for (const frame of this.waiting.splice(0, this.bound)) {
        const room = this.closed ? undefined : this.work.room();
        if (room) {
          this.waitsForRoom = true;
          await room;
          this.waitsForRoom = false;
        }
        if (this.closed) break;
        await this.work.handle(frame);
        this.handled += 1;
        this.isHandedOver = false;
        if (this.slices.isOver) await this.slices.afterTurn();
      }
      if (this.paused && this.waiting.length < this.bound / 2) {
        this.paused = false;
        this.work.resume();
      }
    }
    this.working = false;
    const { finished = [] } = this;
    this.finished = undefined;
    for (const resolve of finished) resolve();
  }
}
