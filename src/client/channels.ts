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
import type { Subscribed } from '../protocol/replies.js';
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

export interface Channels {
  /** Wants a channel from now on. @returns whether it is subscribed already */
  add(channel: string): boolean;
  remove(channel: string): void;
  /** The connection may subscribe. @param user the channel of its user, if it has one */
  onConnected(user?: string): Promise<void>;
  onLost(): void;
  /** Keeps what a frame says of positions. @returns `false` for a message that this client has had, or will get again */
  onFrame(frame: ServerMessage): boolean;
  /** Whether the connection is the user's. */
  isReady(): boolean;
}

export function createChannels(requests: Requests, events: ChannelEvents): Channels {
  const states = new Map<string, ChannelState>();
  let retry: ReturnType<typeof setTimeout> | undefined;
  let isConnected = false;
  let ownChannel = '';

  const isReady = (): boolean => isConnected && states.get(ownChannel)?.confirmed !== false;

  /** Subscribes to the channels that the server lets it have now. @returns whether further channels may be asked for */
  const subscribe = async (channels: string[]): Promise<boolean> => {
    const named = channels.map((channel) => {
      events.onSubscribing(channel);
      return { channel, recover: states.get(channel)?.position };
    });
    try {
      await requests.passing({ action: 'subscribe', channels: named });
    } catch (error) {
      if (!(error instanceof ServerError)) return false; // the next connection asks again
      const [only = ''] = channels;
      if (channels.length > 1) {
        for (const channel of channels) if (!(await subscribe([channel]))) return false;
      } else if (isTemporary(error)) subscribeLater();
      else if (states.delete(only)) events.onEnded(error);
    }
    if (isReady()) events.onReady();
    return isReady();
  };

  const subscribeAll = async (): Promise<void> => {
    const channels = [...new Set([ownChannel, ...states.keys()])].filter((channel) => states.get(channel)?.confirmed === false);
    if (channels.length === 0 && isReady()) events.onReady();
    for (let from = 0; from < channels.length; from += PER_FRAME)
      if (!(await subscribe(channels.slice(from, from + PER_FRAME)))) return;
  };

  const subscribeLater = (): void => {
    clearTimeout(retry);
    retry = setTimeout(() => void subscribeAll(), RETRY_MS);
  };

  const add = (channel: string): boolean => {
    const known = states.get(channel);
    if (known) return known.confirmed;
    states.set(channel, { confirmed: false });
    if (isConnected) void subscribe([channel]);
    return false;
  };

  /** Whether a message without a channel will come again with one, since it arrived before its channel was subscribed. */
  const willRepeat = (frame: ServerMessage): boolean => {
    if (frame['message_id'] !== undefined || CONFLATED_TYPES.has(frame.type) || isControl(frame)) return false;
    const [channel = ''] = channelsOf(frame);
    const state = states.get(channel);
    return state?.position !== undefined && !state.confirmed;
  };

  const confirmAll = (frame: ServerMessage): void => {
    for (const subscribed of (frame['subscriptions'] ?? [frame]) as Subscribed[]) {
      const { channel, epoch, offset } = subscribed;
      const state = states.get(channel);
      if (!state) continue;
      const { position } = state;
      // The reply to `recover` repeats the position. Another one is that of a channel that was left and joined again.
      const isGap = position !== undefined && (position.epoch !== epoch || offset > position.offset);
      state.confirmed = true;
      state.position = later(position, { epoch, offset });
      events.onSubscribed(subscribed);
      if (isGap || !position) events.onStale(channel, isGap);
    }
  };

  const onUnsubscribed = ({ reason, request_id: requestId }: ServerMessage, channel: string, state: ChannelState): void => {
    if (requestId !== undefined) return;
    state.confirmed = false;
    if (reason === 'unavailable') return subscribeLater();
    states.delete(channel);
    events.onEnded(new Error(`the server ended the subscription to ${channel}: ${String(reason)}`));
  };

  return {
    add,
    remove(channel) {
      if (!states.delete(channel) || !isConnected || channel === 'broadcast') return;
      requests.passing({ action: 'unsubscribe', channel }).catch(() => undefined); // ends with the connection anyway
    },
    async onConnected(user = '') {
      if (user) add(user);
      ownChannel = user;
      isConnected = true;
      await subscribeAll();
    },
    onLost() {
      isConnected = false;
      clearTimeout(retry);
      for (const state of states.values()) state.confirmed = false;
    },
    onFrame(frame) {
      const { type, channel, epoch, offset } = frame as { type: string } & Partial<Subscribed>;
      if (type === 'subscription_confirmed') {
        confirmAll(frame);
        return true;
      }
      if (channel === undefined) return !willRepeat(frame);
      const state = states.get(channel);
      if (!state) return false;
      if (type === 'unsubscribed') onUnsubscribed(frame, channel, state);
      if (offset === undefined) return true;
      if (!state.confirmed) return false; // the reply to its subscription, or recovery, covers it
      const { position } = state;
      if (epoch !== undefined) {
        const isGap = frame['recovered'] === false || (position?.epoch === epoch && offset > position.offset);
        state.position = later(position, { epoch, offset });
        if (isGap) events.onStale(channel, true);
      } else if (position) {
        if (offset <= position.offset) return false;
        if (offset > position.offset + 1) events.onStale(channel, true);
        state.position = { epoch: position.epoch, offset };
      }
      return true;
    },
    isReady,
  };
}

/** A position never goes back within its epoch: what came after it has been handled. */
const later = (one: StreamPosition | undefined, other: StreamPosition): StreamPosition =>
  one?.epoch === other.epoch && one.offset > other.offset ? one : other;
