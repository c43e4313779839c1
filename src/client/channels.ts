/**
 * The channels that the application wants, and where this client stands in each.
 *
 *  1. The last position of any frame is kept, in the order in which frames arrive, and offered when the channel is
 *     subscribed again. The protocol promises that this misses nothing.
 *  2. A message that arrives twice is dropped by its offset. A missing one is a gap, which is an event.
 *  3. One frame subscribes to all channels, the user's first. Where the server refuses it, each is tried alone, so that
 *     one channel that is not allowed or not available does not stop the others. Only the user's must stand for answers.
 *  4. Until its channel is subscribed on this connection, a message that recovery will repeat is left out.
 */
import type { Subscribed } from '../protocol/actions.js';
import { CONFLATED_TYPES, type StreamPosition } from '../protocol/messages.js';
import { isTemporary, ServerError } from './errors.js';
import { channelsOf, isControl, type ServerMessage } from './frames.js';
import type { Requests } from './requests.js';

/** The most that one frame may name. */
const PER_FRAME = 32;
const RETRY_MS = 1000;

export interface ChannelEvents {
  /** The connection is the user's. */
  onReady(): void;
  /** The channel is about to be asked for. */
  onSubscribing(channel: string): void;
  /** The channel is subscribed; `pending` are the ids of its open prompts. */
  onSubscribed(subscribed: Subscribed): void;
  /** The channel has no state yet, or has lost messages for good: load what it is about. */
  onStale(channel: string, isGap: boolean): void;
  /** The server does not, or no longer, let this client have the channel. */
  onEnded(error: unknown): void;
}

interface ChannelState {
  position?: StreamPosition;
  /** Subscribed on this connection. */
  confirmed: boolean;
}

export class Channels {
  private readonly states = new Map<string, ChannelState>();
  private retry: ReturnType<typeof setTimeout> | undefined;
  private connected = false;
  private user = '';

  constructor(
    private readonly requests: Requests,
    private readonly events: ChannelEvents,
  ) {}

  /** Wants a channel from now on. @returns whether it is subscribed already */
  add(channel: string): boolean {
    const known = this.states.get(channel);
    if (known) return known.confirmed;
    this.states.set(channel, { confirmed: false });
    if (this.connected) void this.subscribe([channel]);
    return false;
  }

  remove(channel: string): void {
    if (!this.states.delete(channel) || !this.connected || channel === 'broadcast') return;
    this.requests.passing({ action: 'unsubscribe', channel }).catch(() => undefined); // ends with the connection anyway
  }

  /** The connection may subscribe. @param user the channel of its user, if it has one */
  async onConnected(user = ''): Promise<void> {
    if (user) this.add(user);
    this.user = user;
    this.connected = true;
    await this.subscribeAll();
  }

  onLost(): void {
    this.connected = false;
    clearTimeout(this.retry);
    for (const state of this.states.values()) state.confirmed = false;
  }

  /** Keeps what a frame says of positions. @returns `false` for a message that this client has had, or will get again */
  onFrame(frame: ServerMessage): boolean {
    if (frame.type === 'subscription_confirmed') return this.confirmAll(frame);
    const { channel, epoch, offset } = frame as Partial<Subscribed>;
    if (channel === undefined) return !this.willRepeat(frame);
    const state = this.states.get(channel);
    if (!state) return false;
    if (frame.type === 'unsubscribed') this.onUnsubscribed(frame, channel, state);
    if (offset === undefined) return true;
    if (!state.confirmed) return false; // the reply to its subscription, or recovery, covers it
    const { position } = state;
    if (epoch !== undefined) {
      const isGap = frame['recovered'] === false || (position?.epoch === epoch && offset > position.offset);
      state.position = later(position, { epoch, offset });
      if (isGap) this.events.onStale(channel, true);
    } else if (position) {
      if (offset <= position.offset) return false;
      if (offset > position.offset + 1) this.events.onStale(channel, true);
      state.position = { epoch: position.epoch, offset };
    }
    return true;
  }

  /** Whether a message without a channel will come again with one, since it arrived before its channel was subscribed. */
  private willRepeat(frame: ServerMessage): boolean {
    if (frame['message_id'] !== undefined || CONFLATED_TYPES.has(frame.type) || isControl(frame)) return false;
    const [channel = ''] = channelsOf(frame);
    const state = this.states.get(channel);
    return state?.position !== undefined && !state.confirmed;
  }

  private confirmAll(frame: ServerMessage): boolean {
    for (const subscribed of (frame['subscriptions'] ?? [frame]) as Subscribed[]) {
      const { channel, epoch, offset } = subscribed;
      const state = this.states.get(channel);
      if (!state) continue;
      const { position } = state;
      // The reply to `recover` repeats the position. Another one is that of a channel that was left and joined again.
      const isGap = position !== undefined && (position.epoch !== epoch || offset > position.offset);
      state.confirmed = true;
      state.position = later(position, { epoch, offset });
      this.events.onSubscribed(subscribed);
      if (isGap || !position) this.events.onStale(channel, isGap);
    }
    return true;
  }

  private onUnsubscribed({ reason, request_id: requestId }: ServerMessage, channel: string, state: ChannelState): void {
    if (requestId !== undefined) return;
    state.confirmed = false;
    if (reason === 'unavailable') return this.subscribeLater();
    this.states.delete(channel);
    this.events.onEnded(new Error(`the server ended the subscription to ${channel}: ${String(reason)}`));
  }

  /** Whether the connection is the user's. */
  get isReady(): boolean {
    return this.connected && this.states.get(this.user)?.confirmed !== false;
  }

  private async subscribeAll(): Promise<void> {
    const isMissing = (channel: string): boolean => this.states.get(channel)?.confirmed === false;
    const channels = [...new Set([this.user, ...this.states.keys()])].filter(isMissing);
    if (channels.length === 0 && this.isReady) this.events.onReady();
    for (let from = 0; from < channels.length; from += PER_FRAME)
      if (!(await this.subscribe(channels.slice(from, from + PER_FRAME)))) return;
  }

  /** Subscribes to the channels that the server lets it have now. @returns whether further channels may be asked for */
  private async subscribe(channels: string[]): Promise<boolean> {
    const named = channels.map((channel) => {
      this.events.onSubscribing(channel);
      return { channel, recover: this.states.get(channel)?.position };
    });
    try {
      await this.requests.passing({ action: 'subscribe', channels: named });
    } catch (error) {
      if (!(error instanceof ServerError)) return false; // the next connection asks again
      const [only = ''] = channels;
      if (channels.length > 1) {
        for (const channel of channels) if (!(await this.subscribe([channel]))) return false;
      } else if (isTemporary(error.code)) this.subscribeLater();
      else if (this.states.delete(only)) this.events.onEnded(error);
    }
    if (this.isReady) this.events.onReady();
    return this.isReady;
  }

  private subscribeLater(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.subscribeAll(), RETRY_MS);
  }
}

/** A position never goes back within its epoch: what came after it has been handled. */
const later = (one: StreamPosition | undefined, other: StreamPosition): StreamPosition =>
  one?.epoch === other.epoch && one.offset > other.offset ? one : other;
