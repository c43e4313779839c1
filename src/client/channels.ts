/**
 * The channels that the application wants, and where it stands in each.
 *
 *  1. The last position of any frame is kept, in the order in which frames come, and offered when the channel is
 *     subscribed again. The protocol promises that this misses nothing.
 *  2. What comes twice is dropped by its offset. What is missing is a gap, which is reported and never silent.
 *  3. One frame subscribes to all channels. Where the server refuses it, each is tried alone, so that one channel that
 *     is not allowed does not stop the others.
 */
import { CONFLATED_TYPES, type StreamPosition, type Subscribed } from '../protocol/messages.js';
import { ServerError } from './errors.js';
import { ConnectionLostError, type Requests, type ServerReply } from './requests.js';

/** The most that one frame may name. */
const PER_FRAME = 32;
const RETRY_MS = 1000;

export interface ChannelEvents {
  /** The channel is subscribed; `pending` are the ids of its open prompts. */
  onSubscribed(subscribed: Subscribed): void;
  /** Messages were lost for good: reload what the channel is about. */
  onGap(channel: string): void;
  /** The server will not, or no longer, let this client have the channel. */
  onEnded(channel: string, error: Error): void;
}

export class Channels {
  private readonly positions = new Map<string, StreamPosition | undefined>();
  private retry: ReturnType<typeof setTimeout> | undefined;
  private connected = false;
  /** What this connection is subscribed to. */
  private readonly confirmed = new Set<string>();

  constructor(
    private readonly requests: Requests,
    private readonly events: ChannelEvents,
  ) {}

  has(channel: string): boolean {
    return this.positions.has(channel);
  }

  /** Wants a channel from now on. */
  add(channel: string): void {
    if (this.positions.has(channel)) return;
    this.positions.set(channel, undefined);
    if (this.connected) void this.subscribe([channel]);
  }

  remove(channel: string): void {
    if (!this.positions.delete(channel) || !this.connected || channel === 'broadcast') return;
    this.requests.passing({ action: 'unsubscribe', channel }).catch(() => undefined); // gone with the connection anyway
  }

  /** The connection may subscribe. Resolves when everything has been asked for. */
  async onConnected(): Promise<void> {
    this.connected = true;
    await this.subscribe([...this.positions.keys()]);
  }

  onLost(): void {
    this.connected = false;
    this.confirmed.clear();
    clearTimeout(this.retry);
  }

  /** Notes what a frame says of positions. @returns `false` for a message that this client has had */
  onFrame(frame: ServerReply): boolean {
    if (frame.type === 'subscription_confirmed') return this.onSubscribed(frame);
    const { channel, epoch, offset } = frame as Partial<Subscribed>;
    if (channel === undefined || !this.positions.has(channel)) return true;
    if (frame.type === 'unsubscribed') {
      this.positions.delete(channel);
      this.events.onEnded(channel, new Error(`the server ended the subscription to ${channel}`));
      return true;
    }
    if (offset === undefined) return true;
    const known = this.positions.get(channel);
    if (epoch !== undefined) this.positions.set(channel, { epoch, offset });
    else if (known) {
      if (offset <= known.offset) return false;
      this.positions.set(channel, { epoch: known.epoch, offset });
    }
    if (frame.type === 'recovered' && frame['recovered'] === false) this.events.onGap(channel);
    return true;
  }

  /**
   * Whether recovery will bring this message again, with its offset: it came live before its channel was subscribed, as a
   * user's messages do after authentication, and broadcasts always.
   */
  willRepeat({ type, channel, message_id: messageId, target_user_id: userId, task_id: taskId }: ServerReply): boolean {
    if (channel !== undefined || messageId !== undefined || CONFLATED_TYPES.has(type)) return false;
    const likely = typeof userId === 'string' ? `user:${userId}` : typeof taskId === 'string' ? `task:${taskId}` : 'broadcast';
    return this.positions.get(likely) !== undefined && !this.confirmed.has(likely);
  }

  private onSubscribed(frame: ServerReply): boolean {
    const all = (frame['subscriptions'] ?? [frame]) as Subscribed[];
    for (const subscribed of all) {
      const { channel, epoch, offset } = subscribed;
      this.confirmed.add(channel);
      if (this.positions.has(channel)) this.positions.set(channel, { epoch, offset });
      this.events.onSubscribed(subscribed);
    }
    return true;
  }

  private async subscribe(channels: string[]): Promise<void> {
    for (let from = 0; from < channels.length; from += PER_FRAME) await this.subscribeTo(channels.slice(from, from + PER_FRAME));
  }

  private async subscribeTo(channels: string[]): Promise<void> {
    const named = channels.map((channel) => ({ channel, recover: this.positions.get(channel) }));
    try {
      await this.requests.passing({ action: 'subscribe', channels: named });
    } catch (error) {
      if (error instanceof ConnectionLostError) return;
      const code = error instanceof ServerError ? error.code : undefined;
      const [only] = channels;
      if (code === 'UNAVAILABLE' || code === 'BUSY' || code === 'RATE_LIMITED') this.subscribeLater();
      else if (channels.length > 1) for (const channel of channels) await this.subscribeTo([channel]);
      else if (only !== undefined && this.positions.delete(only)) this.events.onEnded(only, error as Error);
    }
  }

  private subscribeLater(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.subscribe([...this.positions.keys()]), RETRY_MS);
  }
}
