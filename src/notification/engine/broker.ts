/**
 * The broker: publications on channels, their history and positions, and messages that wait for an acknowledgement.
 * E1, E3 and E6 hold; see `engine.ts`.
 */
import type { Channel } from '../../protocol/channels.js';
import type { JsonObject } from '../../protocol/confirmation.js';
import type { StreamPosition } from '../../protocol/messages.js';
import type { Page } from './page.js';
import type { Scope } from './scope.js';

export type { StreamPosition };

/** The pseudo-channel of anonymous connections, which see the traffic of every user and every task. */
export const EVERYTHING = '*';

/** A message on a channel, delivered at most once while it is live. */
export interface PublishRequest {
  channel: Channel;
  message: JsonObject;
  /** Whether the message gets an offset and a place in the channel's history. */
  recoverable: boolean;
  /** For messages that are not recoverable: a newer publication replaces one of the same key that waits to be sent. */
  conflationKey?: string;
}

export interface Publication {
  channel: Channel;
  /** The message as JSON, an object. It is passed on unread. */
  text: string;
  /** Present on recoverable publications. */
  position?: StreamPosition;
  /** For `task:` channels: the task's user, whose connections belong to the audience. */
  audienceUserId?: string;
  /** As its request says. */
  conflationKey?: string;
}

export interface PublishResult {
  /** Connections reached over all nodes; an estimate. */
  deliveredTo: number;
  position?: StreamPosition;
}

export interface HistoryRequest {
  channel: string;
  /** Exclusive. */
  since: StreamPosition;
  /** At most this many publications; fewer once the page has `PAGE_BYTES`. */
  limit: number;
}

/** A page of history takes no further publication once it has this many bytes. */
export const PAGE_BYTES = 131_072;

export interface HistoryEntry {
  /** The message as JSON, an object. It is passed on unread. */
  text: string;
  offset: number;
}

export type HistoryResult =
  /**
   * Every publication after `since`, up to the page's bounds, and at least one if there is one. `head` is the channel's
   * position at the time of reading.
   */
  | { complete: true; publications: HistoryEntry[]; head: StreamPosition }
  /** The epoch is another, or something after `since` is gone. */
  | { complete: false; head: StreamPosition };

/** A message that is kept until one of the user's devices acknowledges it or its time to live ends. */
export interface AcknowledgedMessage {
  messageId: string;
  userId: string;
  message: JsonObject;
  expiresAt: number;
}

/** An acknowledged message on its way into the engine, which computes `expiresAt` by its own clock. */
export interface SendAcknowledgedRequest extends Omit<AcknowledgedMessage, 'expiresAt'> {
  /** How long the message is kept, whole milliseconds. */
  ttlMs: number;
}

export type AckResult = 'acknowledged' | 'repeated' | 'not_found';

export interface Broker {
  /** Publishes a message. Emits `onPublication` on every node that watches the channel. @throws StoreFullError */
  publish(request: PublishRequest): Promise<PublishResult>;
  /** The channel's current position. A channel without publications has an epoch all the same. */
  position(channel: string): Promise<StreamPosition>;
  history(request: HistoryRequest): Promise<HistoryResult>;

  /**
   * Counts one more connection of this node that needs a channel's events: `user:<id>` (prompts, messages), `task:<id>`,
   * a named channel, or `EVERYTHING`. Once the call has resolved, this node misses no event of the channel that is
   * stored later. Decisions and cancellations reach every node anyway, and so does `broadcast`.
   */
  watch(channel: string): Promise<void>;
  /** Takes one `watch` back, also one that failed. */
  unwatch(channel: string): Promise<void>;

  /**
   * Takes the lease of a task's heartbeat: emits `onLeaseTaken` on every other node, which ends its own older lease. A node that
   * cannot be reached at the time misses it.
   * @returns the place of this take among the takes of all nodes: a later one has a higher number
   */
  takeLease(taskId: string): Promise<number>;

  /** Keeps a message until it is acknowledged. Emits `onAcknowledgedMessage`. @throws StoreFullError */
  sendAcknowledged(request: SendAcknowledgedRequest): Promise<PublishResult>;
  /** Emits `onAcknowledged` for the first acknowledgement. */
  ack(messageId: string, scope: Scope): Promise<AckResult>;
  /** Whether the user's message has been acknowledged. Known until the message expires. */
  isAcknowledged(messageId: string, userId: string): Promise<boolean>;
  /**
   * A page, oldest first: at most `limit` messages, fewer once it has about `PAGE_BYTES`.
   * @throws InvalidMessageError for a cursor that no earlier page gave
   */
  unacknowledged(userId: string, limit: number, cursor?: string): Promise<Page<AcknowledgedMessage>>;
}

/** DI token of the same name as the interface. */
export const Broker = Symbol('Broker');
