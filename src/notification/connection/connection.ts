/**
 * One live WebSocket: who it is, what it is subscribed to, what it still has to be sent.
 *
 * It knows its socket only by `ConnectionSocket`; frames come in through the adapter, out through `send` and `reply`.
 *  1. A connection that is `closing` or `closed` takes nothing more; whoever closes names a code of `CLOSE`.
 *  2. A publication carries its place in the channel only for a connection that has been given the channel's epoch
 *     (`subscription.ts`).
 *  3. Closing lets the frame in work be answered and what waits be sent, but only for so long.
 */
import { randomUUID } from 'node:crypto';
import { CLOSE, type CloseReason } from '../../protocol/codes.js';
import { OutboundFrame } from './frame.js';
import { ReceiveQueue } from './receive-queue.js';
import { SendQueue, type Write } from './send-queue.js';
import type { FrameSource } from './frame-source.js';
import type { Subscription } from './subscription.js';
import type { Arrival } from '../engine/deadlines.js';
import { Date, delay } from '../pacing/time-source.js';

/** What a connection needs of a WebSocket. */
export interface ConnectionSocket {
  write: Write;
  /** Sends a close frame and waits for the peer's, not for ever; or, with `deaf`, reads nothing any more. */
  close(code: number, reason: string, deaf: boolean): void;
  /** Sends a protocol-level ping. */
  ping(): void;
  /** Stops and resumes reading. */
  pause(): void;
  resume(): void;
  terminate(): void;
}

export type Identity =
  /** Secure mode, before a valid token. */
  | { kind: 'unauthenticated' }
  /** Open mode, before `subscribe {user_id}`. */
  | { kind: 'anonymous' }
  | { kind: 'user'; userId: string; expiresAt?: number; issuedAt?: number };

export interface ConnectionLimits {
  maxOutbox: number;
  maxFramesInWork: number;
}

/** Text as it came; what it means is the adapter's business. */
export type FrameHandler = (text: string) => Promise<void>;

/** What of the handshake is remembered. */
export interface Handshake {
  identity: Identity;
  /** The peer's address. */
  address: string;
  /** permessage-deflate was negotiated. */
  compress: boolean;
}

/** Who decides gets the reply, not the notice; that is kept, for a reply which turns out to tell no decision. */
export interface Deciding {
  readonly id: string;
  notice?: OutboundFrame;
}

export class Connection {
  readonly id = randomUUID();
  readonly connectedAt = Date.now();
  readonly address: string;
  readonly subscriptions = new Map<string, Subscription>();
  identity: Identity;
  /** The prompt or task this connection is deciding on right now. */
  answering: Deciding | undefined;
  cancelling: Deciding | undefined;
  /** When the frame in work reached the socket. */
  arrival: Arrival | undefined;
  /** Of the last protocol-level ping, in milliseconds; `undefined` before the first pong. */
  roundTripMs: number | undefined;
  private strikes = 0;
  private phase: 'open' | 'closing' | 'closed' = 'open';
  private readonly sendQueue: SendQueue;
  private receiveQueue: ReceiveQueue<string> | undefined;
  private beginning: Promise<void> | undefined;
  private replied = 0;
  private readonly followUp = new Map<string, FrameSource>();
  private readonly farewells: (() => void)[] = [];
  /**
   * While prompts and messages are shown again: the ids of those that need not be, having come live or been settled. There
   * is one set for the redelivery that is under way, and one for that which is to replace it.
   */
  private settledSets: Set<string>[] = [];

  constructor(
    private readonly socket: ConnectionSocket,
    handshake: Handshake,
    private readonly limits: ConnectionLimits,
    private readonly events: {
      onOverflow(connection: Connection): void;
      onSourceError(connection: Connection, error: unknown): void;
      onCharge(frames: number): void;
      /** Frames that the peer did not get, because it was too slow or is gone. */
      onDropped?(frames: number): void;
      onError?(connection: Connection, code: string): void;
    },
  ) {
    this.identity = handshake.identity;
    this.address = handshake.address;
    this.sendQueue = new SendQueue(
      limits.maxOutbox,
      handshake.compress,
      (bytes, written) => socket.write(bytes, written),
      (dropped) => {
        this.events.onDropped?.(dropped);
        this.events.onOverflow(this);
      },
      (error) => this.events.onSourceError(this, error),
    );
  }

  get isOpen(): boolean {
    return this.phase === 'open';
  }

  /** The identified user, or `undefined`. */
  get userId(): string | undefined {
    return this.identity.kind === 'user' ? this.identity.userId : undefined;
  }

  /** How many replies and errors this connection was sent. */
  get replies(): number {
    return this.replied;
  }

  get waitingBytes(): number {
    return this.sendQueue.waitingBytes;
  }

  /** How many redeliveries and recoveries wait for the socket to drain, or for a reply. */
  get waitingSources(): number {
    return this.sendQueue.waitingSources + this.followUp.size;
  }

  /** Queues a frame shared with other receivers. `conflationKey`: it replaces a waiting one of the same key. */
  send(frame: OutboundFrame, conflationKey?: string): void {
    if (this.phase === 'open') this.sendQueue.push(frame, conflationKey);
  }

  /** Shows a prompt that was just opened, or a message to be acknowledged, unless redelivery has shown it. */
  showOnce(id: string, frame: OutboundFrame): void {
    if (this.settledSets.some((settled) => settled.has(id))) return;
    this.forget(id);
    this.send(frame);
  }

  /** A prompt was decided, or a message acknowledged: redelivery does not show it any more. */
  forget(id: string): void {
    for (const settled of this.settledSets) settled.add(id);
  }

  /** From now on what redelivery is to leave out is noted. */
  beginRedelivery(): Set<string> {
    const settled = new Set<string>();
    this.settledSets.push(settled);
    return settled;
  }

  endRedelivery(settled: Set<string>): void {
    this.settledSets = this.settledSets.filter((each) => each !== settled);
  }

  /** Nothing is noted any more for redeliveries other than this one. */
  endOtherRedeliveries(settled?: Set<string>): void {
    this.settledSets = settled ? [settled] : [];
  }

  /** Queues the answer to a frame of this connection, or its JSON, then starts what was to follow it. */
  reply(message: object | string): void {
    this.replied += 1;
    if (isErrorReply(message)) this.events.onError?.(this, message.code);
    if (this.phase !== 'closed') this.sendQueue.push(new OutboundFrame(message));
    this.startFollowing();
  }

  /** Starts what was to follow a reply, where there is none. */
  startFollowing(): void {
    const sources = [...this.followUp];
    this.followUp.clear();
    for (const [name, source] of sources) this.follow(name, source);
  }

  /** Lets `source` be read as the socket drains, after the next reply. It replaces an earlier one of this name at once. */
  followReplyWith(name: string, source: FrameSource): void {
    this.unfollow(name);
    this.followUp.set(name, source);
  }

  /** Lets `source` be read as the socket drains, from now on. It replaces an earlier one of this name. */
  follow(name: string, source: FrameSource): void {
    this.sendQueue.follow(name, source);
  }

  /** Drops a source, and what it still had to bring. */
  unfollow(name: string): void {
    this.followUp.get(name)?.return();
    this.followUp.delete(name);
    this.sendQueue.unfollow(name);
  }

  /** The frame in work asks for as much as so many others: they count towards the rate limit. */
  charge(frames: number): void {
    this.events.onCharge(frames);
  }

  ping(): void {
    this.socket.ping();
  }

  /** Frames taken in, and those of them that nobody waits for any more. */
  get framesTaken(): number {
    return this.receiveQueue?.taken ?? 0;
  }

  get framesHandedOver(): number {
    return this.receiveQueue?.handedOver ?? 0;
  }

  /** The frame in work has reached the engine. */
  handOverFrame(): void {
    this.receiveQueue?.handOver();
  }

  /** Names who handles this connection's frames, one at a time. */
  handleWith(handle: FrameHandler): void {
    const room = (): Promise<void> | undefined => this.sendQueue.room();
    this.receiveQueue = new ReceiveQueue(this.limits.maxFramesInWork, (text) => this.handle(handle, text), this.socket, room);
  }

  /** Does what has to be done before the first frame is handled; when that fails none ever is. */
  async begin(work: () => Promise<void>): Promise<void> {
    const beginning = work();
    this.beginning = beginning;
    await beginning;
    this.beginning = undefined;
  }

  /** Takes a frame in. */
  receive(text: string): void {
    if (this.phase === 'open') this.receiveQueue?.push(text);
  }

  /** Answers the frame in work, sends what waits, then closes with a code. `deaf`: what else the peer sends is not even read. */
  async close(reason: CloseReason, deaf = false): Promise<void> {
    if (this.phase !== 'open') return;
    this.phase = 'closing';
    this.receiveQueue?.discard();
    if (deaf) this.socket.pause();
    const patience = new AbortController();
    await Promise.race([
      this.finish(),
      delay(CLOSE_PATIENCE_MS, undefined, { ref: false, signal: patience.signal }).catch(ignoreAbort),
    ]);
    patience.abort();
    this.cut(reason, deaf);
  }

  /** Drops what waits and closes with a code: for peers that do not read. */
  cut({ code, reason }: CloseReason, deaf = false): void {
    if (this.phase === 'closed') return;
    this.phase = 'closing';
    this.receiveQueue?.discard();
    this.drop();
    this.socket.close(code, reason, deaf);
  }

  /** An unauthenticated peer was refused something; after the third time the connection is closed. `deaf` as for `close`. */
  strike(deaf = false): void {
    this.strikes += 1;
    if (this.strikes >= MAX_STRIKES) void this.close(CLOSE.UNAUTHENTICATED, deaf);
  }

  /** Drops the socket without a close frame: for peers that do not answer. */
  terminate(): void {
    this.socket.terminate();
  }

  /** Calls back once the socket is gone. */
  onClosed(callback: () => void): void {
    this.farewells.push(callback);
  }

  /** The socket is gone. */
  closed(): void {
    this.phase = 'closed';
    this.receiveQueue?.discard();
    this.drop();
    for (const name of [...this.followUp.keys()]) this.unfollow(name);
    for (const callback of this.farewells.splice(0)) callback();
  }

  private drop(): void {
    const dropped = this.sendQueue.discard();
    if (dropped > 0) this.events.onDropped?.(dropped);
  }

  private async handle(handle: FrameHandler, text: string): Promise<void> {
    try {
      if (this.beginning) await this.beginning;
    } catch {
      return; // whoever began has the error, and closes
    }
    await handle(text);
  }

  private async finish(): Promise<void> {
    await this.receiveQueue?.idle();
    this.sendQueue.flush();
    await this.sendQueue.drained();
  }
}

/** Refusals before authentication, after which a connection is closed. */
const MAX_STRIKES = 3;
/** How long closing waits for a frame in work and a slow reader. */
const CLOSE_PATIENCE_MS = 2000;

function isErrorReply(message: object | string): message is { code: string } {
  return typeof message === 'object' && 'type' in message && message.type === 'error' && 'code' in message;
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
