/**
 * The frames that one connection sends: they are handled in order, and none before the connection has begun.
 * Most connections send none at first, so the receive queue is made at the first frame.
 */
import type { Arrival } from '../engine/deadlines.js';
import type { TimeSlices } from '../pacing/time-slices.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';
import type { ConnectionEvents, ConnectionSocket } from './peer.js';
import { ReceiveQueue, type FrameWork, type Turn } from './receive-queue.js';

/** Handles the text of one frame, which the gateway decodes, and answers it after `turn.earlier`. */
export type FrameHandler<Owner> = (owner: Owner, text: string, turn: Turn) => Promise<void>;

export class Incoming<Owner extends { readonly isOpen: boolean }> implements FrameWork<string> {
  private queue: ReceiveQueue<string> | undefined;
  private handler: FrameHandler<Owner> | undefined;
  private beginning: Promise<void> | undefined;
  /** Frames whose handlers began beside earlier frames, and when those are answered. */
  private overlaps: Map<object, Promise<void>> | undefined;

  constructor(
    private readonly owner: Owner,
    private readonly socket: ConnectionSocket,
    private readonly events: ConnectionEvents,
    private readonly replies: Pick<FrameWork<string>, 'room'>,
    private readonly slices: TimeSlices,
    private readonly maxFramesInWork: number,
  ) {}

  /** How many frames were received. */
  get taken(): number {
    return this.queue?.taken ?? 0;
  }

  /** How many received frames the engine has. */
  get handedOver(): number {
    return this.queue?.handedOver ?? 0;
  }

  /** Whether the socket is not read because the handling of its frames takes its time. */
  get isHeldUp(): boolean {
    return this.queue?.isHeldUp ?? false;
  }

  /** Sets the handler of this connection's frames. */
  handleWith(handler: FrameHandler<Owner>): void {
    this.handler = handler;
  }

  /** Runs `work` before the first frame is handled. If it fails, no frame is ever handled. */
  async begin(work: () => Promise<void>): Promise<void> {
    const beginning = work();
    this.beginning = beginning;
    await beginning;
    this.beginning = undefined;
  }

  /** @param isLarge nothing more is read until it is handled */
  receive(text: string, isLarge = false): void {
    if (!this.owner.isOpen || !this.handler) return;
    this.queue ??= new ReceiveQueue(this.maxFramesInWork, this, this.slices);
    this.queue.push(text, isLarge);
  }

  /**
   * The arrival of the frame that has begun last. Its handler takes it before it calls the engine.
   * @param read when what is read now reached the socket
   */
  arrivalSince(read: Pick<Arrival, 'earliest'> | undefined): Arrival | undefined {
    const turn = this.queue?.current;
    return read && turn && { earliest: read.earliest, handedOver: () => turn.handOver() };
  }

  /** The handler of a frame begins before earlier frames are answered. */
  beginBeside(frame: object, earlier: Promise<void>): void {
    const overlaps = (this.overlaps ??= new Map());
    overlaps.set(frame, earlier);
    void earlier.then(() => overlaps.delete(frame));
  }

  /** Runs `reply`, which answers a frame, once all earlier frames are answered. */
  inTurn(frame: object, reply: () => void): void {
    const earlier = this.overlaps?.get(frame);
    if (earlier) void earlier.then(reply);
    else reply();
  }

  /** Drops the frames that nobody has begun to handle. */
  discard(): void {
    this.queue?.discard();
  }

  /** The peer is gone. What it sent before is still handled, without a reply, for at most `withinMs`: an answer counts. */
  end(withinMs: number): void {
    const { queue } = this;
    if (!queue || queue.isIdle) return;
    queue.end();
    const patience = setTimeout(() => queue.discard(), withinMs).unref();
    void queue.idle().then(() => clearTimeout(patience));
  }

  /** Resolves when the frames that came so far are answered. */
  async idle(): Promise<void> {
    await this.queue?.idle();
  }

  async handle(text: string, turn: Turn): Promise<void> {
    try {
      if (this.beginning) await this.beginning;
    } catch {
      return; // The caller of `begin` has the error, and closes the connection.
    }
    await this.handler?.(this.owner, text, turn);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
    this.events.onResumed?.();
  }

  room(): Promise<void> | undefined {
    return this.replies.room();
  }
}
