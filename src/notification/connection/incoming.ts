/**
 * The frames that one connection sends: they are handled one after the other, and none before the connection has begun.
 * Most connections send none at first, so the receive queue is made at the first frame.
 */
import type { TimeSlices } from '../pacing/time-slices.js';
import type { ConnectionEvents, ConnectionSocket } from './peer.js';
import { ReceiveQueue, type FrameWork } from './receive-queue.js';

/** Handles the text of one frame; the gateway decodes it. */
export type FrameHandler<Owner> = (owner: Owner, text: string) => Promise<void>;

export class Incoming<Owner extends { readonly isOpen: boolean }> implements FrameWork<string> {
  private queue: ReceiveQueue<string> | undefined;
  private handler: FrameHandler<Owner> | undefined;
  private beginning: Promise<void> | undefined;

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

  /** Sets the handler of this connection's frames. It handles one at a time. */
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

  /** The current frame has reached the engine. */
  handOver(): void {
    this.queue?.handOver();
  }

  /** Drops the frames that nobody has begun to handle. */
  discard(): void {
    this.queue?.discard();
  }

  /** Resolves when the frames that came so far are answered. */
  async idle(): Promise<void> {
    await this.queue?.idle();
  }

  async handle(text: string): Promise<void> {
    try {
      if (this.beginning) await this.beginning;
    } catch {
      return; // The caller of `begin` has the error, and closes the connection.
    }
    await this.handler?.(this.owner, text);
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
