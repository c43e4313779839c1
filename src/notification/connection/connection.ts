/**
 * One live WebSocket: its identity, the frames that it has sent, and what it still has to be sent.
 *
 * It knows its socket only by `ConnectionSocket`. Frames come in through `incoming` and leave through `send` and `reply`.
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
import { Incoming } from './incoming.js';
import { OwnTimers } from './own-timers.js';
import type { ConnectionEvents, ConnectionLimits, ConnectionSocket, Identity, Peer } from './peer.js';
import { RoundTrips } from './round-trips.js';
import { SendQueue } from './send-queue.js';
import type { FrameSource } from './frame-source.js';
import { clearTimeout, Date, setTimeout } from '../pacing/time-source.js';

export type { ConnectionEvents, ConnectionSocket, Identity } from './peer.js';

export class Connection {
  readonly id = newId();
  readonly connectedAt = Date.now();
  readonly address: string;
  /** Secure mode: the upgrade request, if the authenticator reads it. */
  readonly request: IncomingMessage | undefined;
  /** Ids that the current redelivery skips: shown live, decided or acknowledged. */
  readonly changes = new ChangesWhileReading();
  /** When what is read now reached the socket. */
  arrival: Pick<Arrival, 'earliest'> | undefined;
  readonly roundTrips = new RoundTrips();
  /** They are cancelled when the socket is gone. */
  readonly timers = new OwnTimers<'authentication' | 'access review'>();
  private currentIdentity: Identity;
  /** The frames that the peer sends. */
  readonly incoming: Incoming<Connection>;
  private deciding: Deciding | undefined;
  private strikes = 0;
  private phase: 'open' | 'closing' | 'closed' = 'open';
  private readonly sendQueue: SendQueue;
  private replied = 0;
  private followUp: Map<string, FrameSource> | undefined;
  private closeListeners: readonly ((connection: Connection) => void)[] = NO_LISTENERS;

  constructor(
    private readonly socket: ConnectionSocket,
    { identity, address, compress, request }: Peer,
    { maxOutbox, maxFramesInWork }: ConnectionLimits,
    private readonly events: ConnectionEvents,
    pacing: Pacing,
  ) {
    this.currentIdentity = identity;
    this.address = address;
    this.request = request;
    this.sendQueue = new SendQueue(maxOutbox, compress, pacing, socket, events);
    this.incoming = new Incoming<Connection>(this, socket, events, this.sendQueue, pacing.slices, maxFramesInWork);
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
    return this.sendQueue.waitingSources + (this.followUp?.size ?? 0);
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
    this.deciding ??= new Deciding();
    return this.deciding.run(subject, id, work, (announcement) => this.send(announcement));
  }

  /** Announces that a confirmation was decided or a task cancelled, unless this connection gets that as its reply. */
  announce(subject: Subject, id: string, frame: OutboundFrame): void {
    if (!this.deciding?.keeps(subject, id, frame)) this.send(frame);
  }

  /** The arrival of the frame that has begun last. Its handler takes it before it calls the engine. */
  get frameArrival(): Arrival | undefined {
    return this.incoming.arrivalSince(this.arrival);
  }

  /** Queues the reply to the current frame, an object or the JSON of a `type`, then starts the sources that follow it. */
  reply(message: object | string, type?: string): void {
    this.replied += 1;
    if (isErrorReply(message)) this.events.onErrorReply?.(message.code);
    if (this.phase !== 'closed') this.sendQueue.push(new OutboundFrame(message, type));
    this.startFollowing();
  }

  /** Starts the sources that follow a reply, without a reply. */
  startFollowing(): void {
    const sources = this.followUp ?? NO_SOURCES;
    this.followUp = undefined;
    for (const [name, source] of sources) this.follow(name, source);
  }

  /** Reads `source` as the socket drains, after the next reply. It replaces an earlier source of this name at once. */
  followReplyWith(name: string, source: FrameSource): void {
    this.unfollow(name);
    (this.followUp ??= new Map()).set(name, source);
  }

  /** Reads `source` as the socket drains, from now on. It replaces an earlier source of this name. */
  follow(name: string, source: FrameSource): void {
    this.sendQueue.follow(name, source);
  }

  /** Drops a source. */
  unfollow(name: string): void {
    this.followUp?.get(name)?.return();
    this.followUp?.delete(name);
    this.sendQueue.unfollow(name);
  }

  /** The current frame costs `frames` further tokens of the rate limit. */
  charge(frames: number): void {
    this.events.onCharge(frames);
  }

  ping(): void {
    this.socket.ping();
  }

  /** Answers the current frame, sends what waits, then closes. @param deaf nothing more that the peer sends is read */
  async close(reason: CloseReason, deaf = false): Promise<void> {
    if (this.phase !== 'open') return;
    this.phase = 'closing';
    this.incoming.discard();
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
    this.incoming.discard();
    this.sendQueue.discard();
    this.socket.end(code, reason, deaf);
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
  onClosed(listener: (connection: Connection) => void): void {
    if (this.phase === 'closed') listener(this);
    else this.closeListeners = [...this.closeListeners, listener];
  }

  /** The socket is gone. */
  closed(): void {
    this.phase = 'closed';
    this.incoming.end(CLOSE_PATIENCE_MS);
    this.sendQueue.discard(true);
    for (const name of [...(this.followUp?.keys() ?? [])]) this.unfollow(name);
    this.timers.close();
    const listeners = this.closeListeners;
    this.closeListeners = NO_LISTENERS;
    for (const listener of listeners) listener(this);
  }

  private async finish(): Promise<void> {
    await this.incoming.idle();
    this.sendQueue.flush();
    await this.sendQueue.drained();
  }
}

/** Refusals before authentication, after which a connection is closed. */
const MAX_STRIKES = 3;
/** How long closing waits for the current frame and a slow reader, and a closed connection's frames are still handled. */
const CLOSE_PATIENCE_MS = 2000;
const NO_LISTENERS: readonly never[] = [];
const NO_SOURCES: ReadonlyMap<string, FrameSource> = new Map();

/** The text of `randomUUID` is a tree of 20 pieces. The copy is one piece, and takes a tenth of the memory. */
function newId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}
