/**
 * The frames a connection has sent and that are not answered yet: handled one after the other, in order.
 * When `bound` of them wait the socket is not read any more, until half of them are done. The next frame is not handled
 * while the connection's replies wait to be sent (`room`): a client that does not read cannot make them pile up.
 *
 * Many frames need nothing but this thread, and their handlers would go on from one to the next without the event loop
 * having its turn. So all receive queues together have slices of time; after each, everybody else is served.
 */
import { performance, setImmediate } from '../pacing/time-source.js';
export class ReceiveQueue<Frame> {
  private readonly waiting: Frame[] = [];
  /** Frames that came, and those that need not be waited for. */
  taken = 0;
  private handled = 0;
  private isHandedOver = false;
  private working = false;
  private paused = false;
  private closed = false;
  private finished: (() => void)[] = [];

  constructor(
    private readonly bound: number,
    /** Handles one frame; must not reject. */
    private readonly handle: (frame: Frame) => Promise<void>,
    private readonly socket: { pause(): void; resume(): void },
    /** Resolves when there is room for a reply; `undefined`: there is. */
    private readonly room: () => Promise<void> | undefined = () => undefined,
  ) {}

  push(frame: Frame): void {
    if (this.closed) return;
    this.waiting.push(frame);
    this.taken += 1;
    if (!this.paused && this.waiting.length >= this.bound) {
      this.paused = true;
      this.socket.pause();
    }
    if (!this.working) void this.work();
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
    return this.working ? new Promise((resolve) => this.finished.push(resolve)) : Promise.resolve();
  }

  /** Drops the frames that nobody has begun to handle. */
  discard(): void {
    this.closed = true;
    this.waiting.length = 0;
  }

  private async work(): Promise<void> {
    this.working = true;
    while (this.waiting.length > 0) {
      for (const frame of this.waiting.splice(0, this.bound)) {
        const room = this.closed ? undefined : this.room();
        if (room) await room;
        if (this.closed) break;
        await this.handle(frame);
        this.handled += 1;
        this.isHandedOver = false;
        if (isSliceOver()) await nextSlice();
      }
      if (this.paused && this.waiting.length < this.bound / 2) {
        this.paused = false;
        this.socket.resume();
      }
    }
    this.working = false;
    for (const resolve of this.finished.splice(0)) resolve();
  }
}

const SLICE_MS = 5;
let sliceEndsAt = 0;
let slice: Promise<void> | undefined;

const isSliceOver = (): boolean => slice !== undefined || performance.now() >= sliceEndsAt;

/** Resolves when the event loop has been round. */
function nextSlice(): Promise<void> {
  slice ??= new Promise((resolve) =>
    setImmediate(() => {
      slice = undefined;
      sliceEndsAt = performance.now() + SLICE_MS;
      resolve();
    }),
  );
  return slice;
}
