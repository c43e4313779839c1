/**
 * One live WebSocket: its identity, the frames that it has sent, and what it still has to be sent.
 *
 * It knows its socket only by `ConnectionSocket`. Frames come in through the adapter and leave through `send` and `reply`.
 *  1. A connection that is `closing` or `closed` takes nothing more. Every close names a code of `CLOSE`.
 *  2. Closing waits for the reply to the current frame and for the send queue, at most `CLOSE_PATIENCE_MS`.
 *  3. The connection that decides a confirmation or cancels a task gets the reply instead of the announcement.
 *  4. Only the hub changes the identity (`Hub.identify`).
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { CLOSE, type CloseReason } from '../../protocol/codes.js';
import type { Pacing } from '../pacing/pacing.js';
import type { Arrival } from '../engine/deadlines.js';
import { ChangesWhileReading } from './changes-while-reading.js';
import { Deciding, type Subject } from './deciding.js';
import { isErrorReply, OutboundFrame } from './frame.js';
import { OwnTimers } from './own-timers.js';
import type { ConnectionEvents, ConnectionLimits, ConnectionSocket, Identity, Peer } from './peer.js';
import { ReceiveQueue } from './receive-queue.js';
import { RoundTrips } from './round-trips.js';
import { SendQueue } from './send-queue.js';
import type { FrameSource } from './frame-source.js';
import { clearTimeout, Date, setTimeout } from '../pacing/time-source.js';

export type { ConnectionEvents, ConnectionSocket, Identity } from './peer.js';

/** Handles the text of one frame; the adapter decodes it. */
export type FrameHandler = (text: string) => Promise<void>;

export class Connection {
  readonly id = randomUUID();
  readonly connectedAt = Date.now();
  readonly address: string;
  /** Secure mode: the upgrade request. */
  readonly request: IncomingMessage | undefined;
  /** Ids that the current redelivery skips: shown live, decided or acknowledged. */
  readonly changes = new ChangesWhileReading();
  /** When the current frame reached the socket. */
  arrival: Arrival | undefined;
  readonly roundTrips = new RoundTrips();
  /** They are cancelled when the socket is gone. */
  readonly timers = new OwnTimers<'authentication' | 'access review'>();
  private currentIdentity: Identity;
  private readonly deciding = new Deciding();
  private strikes = 0;
  private phase: 'open' | 'closing' | 'closed' = 'open';
  private readonly sendQueue: SendQueue;
  private receiveQueue: ReceiveQueue<string> | undefined;
  private beginning: Promise<void> | undefined;
  private replied = 0;
  private readonly followUp = new Map<string, FrameSource>();
  private readonly closeListeners: (() => void)[] = [];

  constructor(
    private readonly socket: ConnectionSocket,
    { identity, address, compress, request }: Peer,
    private readonly limits: ConnectionLimits,
    private readonly events: ConnectionEvents,
    private readonly pacing: Pacing,
  ) {
    this.currentIdentity = identity;
    this.address = address;
    this.request = request;
    this.sendQueue = new SendQueue(limits.maxOutbox, compress, pacing, socket, events);
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

  get identity(): Identity {
    return this.currentIdentity;
  }

  /** For the hub, which indexes connections by identity. */
  identify(identity: Identity): void {
    this.currentIdentity = identity;
  }

  /** Queues a frame. It may be shared with other receivers. @param isBulk other frames may leave first */
  send(frame: OutboundFrame, isBulk = false): void {
    if (this.phase === 'open') this.sendQueue.push(frame, isBulk);
  }

  /** Shows a prompt that was just opened, or a message to be acknowledged, unless redelivery has shown it. */
  showOnce(id: string, frame: OutboundFrame): void {
    if (this.changes.has(id)) return;
    this.changes.note(id);
    this.send(frame);
  }

  /** Runs `work`, which decides the confirmation or cancels the task `id`, and whose result becomes the reply. */
  decide<Result>(subject: Subject, id: string, work: () => Promise<Result>): Promise<Result> {
    return this.deciding.run(subject, id, work, (announcement) => this.send(announcement));
  }

  /** Announces that a confirmation was decided or a task cancelled, unless this connection gets that as its reply. */
  announce(subject: Subject, id: string, frame: OutboundFrame): void {
    if (!this.deciding.keeps(subject, id, frame)) this.send(frame);
  }

  /** Queues the reply to the current frame, an object or the JSON of a `type`, then starts the sources that follow it. */
  reply(message: object | string, type?: string): void {
    this.replied += 1;
    if (isErrorReply(message)) this.events.onError?.(message.code);
    if (this.phase !== 'closed') this.sendQueue.push(new OutboundFrame(message, type));
    this.startFollowing();
  }

  /** Starts the sources that follow a reply, without a reply. */
  startFollowing(): void {
    const sources = [...this.followUp];
    this.followUp.clear();
    for (const [name, source] of sources) this.follow(name, source);
  }

  /** Reads `source` as the socket drains, after the next reply. It replaces an earlier source of this name at once. */
  followReplyWith(name: string, source: FrameSource): void {
    this.unfollow(name);
    this.followUp.set(name, source);
  }

  /** Reads `source` as the socket drains, from now on. It replaces an earlier source of this name. */
  follow(name: string, source: FrameSource): void {
    this.sendQueue.follow(name, source);
  }

  /** Drops a source. */
  unfollow(name: string): void {
    this.followUp.get(name)?.return();
    this.followUp.delete(name);
    this.sendQueue.unfollow(name);
  }

  /** The current frame costs `frames` further tokens of the rate limit. */
  charge(frames: number): void {
    this.events.onCharge(frames);
  }

  ping(): void {
    this.socket.ping();
  }

  /** How many frames were received. */
  get framesTaken(): number {
    return this.receiveQueue?.taken ?? 0;
  }

  /** How many received frames the engine has. */
  get framesHandedOver(): number {
    return this.receiveQueue?.handedOver ?? 0;
  }

  /** Whether the socket is not read because the handling of its frames takes its time. */
  get isHeldUp(): boolean {
    return this.receiveQueue?.isHeldUp ?? false;
  }

  /** The current frame has reached the engine. */
  handOverFrame(): void {
    this.receiveQueue?.handOver();
  }

  /** Sets the handler of this connection's frames. It handles one at a time. */
  handleWith(handle: FrameHandler): void {
    const pause = (): void => this.socket.pause();
    const resume = (): void => {
      this.socket.resume();
      this.events.onResumed?.();
    };
    const room = (): Promise<void> | undefined => this.sendQueue.room();
    this.receiveQueue = new ReceiveQueue(
      this.limits.maxFramesInWork,
      (text) => this.handle(handle, text),
      { pause, resume },
      this.pacing.slices,
      room,
    );
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
    if (this.phase === 'open') this.receiveQueue?.push(text, isLarge);
  }

  /** Answers the current frame, sends what waits, then closes. @param deaf nothing more that the peer sends is read */
  async close(reason: CloseReason, deaf = false): Promise<void> {
    if (this.phase !== 'open') return;
    this.phase = 'closing';
    this.receiveQueue?.discard();
    if (deaf) this.socket.pause();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_PATIENCE_MS).unref()));
    await Promise.race([this.finish(), patience]);
    clearTimeout(timer);
    this.cut(reason, deaf);
  }

  /** Drops what waits and closes: for peers that do not read. */
  cut({ code, reason }: CloseReason, deaf = false): void {
    if (this.phase === 'closed') return;
    this.phase = 'closing';
    this.receiveQueue?.discard();
    this.sendQueue.discard();
    this.socket.close(code, reason, deaf);
  }

  /** Counts a refusal of an unauthenticated peer. `MAX_STRIKES` of them close the connection. @param deaf as for `close` */
  strike(deaf = false): void {
    this.strikes += 1;
    if (this.strikes >= MAX_STRIKES) void this.close(CLOSE.UNAUTHENTICATED, deaf);
  }

  /** Drops the socket without a close frame: for peers that do not answer. */
  terminate(): void {
    this.socket.terminate();
  }

  /** Calls `listener` once the socket is gone; at once if it is gone already. */
  onClosed(listener: () => void): void {
    if (this.phase === 'closed') listener();
    else this.closeListeners.push(listener);
  }

  /** The socket is gone. */
  closed(): void {
    this.phase = 'closed';
    this.receiveQueue?.discard();
    this.sendQueue.discard(true);
    for (const name of [...this.followUp.keys()]) this.unfollow(name);
    this.timers.close();
    for (const listener of this.closeListeners.splice(0)) listener();
  }

  private async handle(handle: FrameHandler, text: string): Promise<void> {
    try {
      if (this.beginning) await this.beginning;
    } catch {
      return; // The caller of `begin` has the error, and closes the connection.
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
/** How long closing waits for the current frame and a slow reader. */
const CLOSE_PATIENCE_MS = 2000;
