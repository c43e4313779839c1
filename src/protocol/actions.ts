/**
 * The actions: their names, and the message of each that a client sends. `replies.ts` has the replies.
 *
 * The AsyncAPI document is made from these types, comments and tags included; a test compares it with the rules by which the
 * gateway checks frames. Unknown fields are ignored, and `null` counts as absent.
 */
import type { Json, JsonObject } from './confirmation.js';
import type { RequestId, StreamPosition } from './messages.js';

export const ACTIONS = [
  'ping',
  'subscribe',
  'unsubscribe',
  'confirm',
  'cancel',
  'ack',
  'authenticate',
  'pending',
  'seen',
  'dismiss',
] as const satisfies readonly (keyof ClientMessages)[];
export type Action = (typeof ACTIONS)[number];

/** Any frame of a client after the decoder: its action may be unknown, and its fields are not checked yet. */
export interface ClientMessage {
  action: string;
  request_id?: RequestId;
  [field: string]: unknown;
}

/**
 * The name of a user, a task, a channel, a message or a confirmation, without NUL.
 * @minLength 1
 * @maxLength 256
 * @pattern ^[^\u0000]*$
 */
export type Identifier = string;

/** What every action may carry. */
export interface ActionMessage {
  /** The reply, or the error, carries the same. */
  request_id?: RequestId;
}

/** Asks for a `pong`. It may have any further fields, which come back. */
export interface PingMessage extends ActionMessage {
  action: 'ping';
  [field: string]: unknown;
}

/** Names a place in a channel's history, after which everything is sent again. */
export interface GivenPosition extends StreamPosition {
  epoch: string;
  /**
   * The number of the last plain message that the client has.
   * @integer
   * @minimum 0
   */
  offset: number;
}

/** One of the channels of a `subscribe`. */
export interface ChannelRequest {
  channel: Identifier;
  recover?: GivenPosition | null;
}

/** Subscribes to a user, a task, both of them, a channel, or several channels. */
export interface SubscribeMessage extends ActionMessage {
  action: 'subscribe';
  /** In open mode the connection becomes this user. */
  user_id?: Identifier | null;
  /** May stand together with `user_id`. */
  task_id?: Identifier | null;
  /** Instead of `user_id` and `task_id`. */
  channel?: Identifier | null;
  /** The last position that the client has of the one channel. */
  recover?: GivenPosition | null;
  /**
   * Instead of all of the above.
   * @minItems 1
   * @maxItems 32
   */
  channels?: ChannelRequest[] | null;
}

/** Ends subscriptions. */
export interface UnsubscribeMessage extends ActionMessage {
  action: 'unsubscribe';
  user_id?: Identifier | null;
  task_id?: Identifier | null;
  channel?: Identifier | null;
  /**
   * Instead of all of the above.
   * @minItems 1
   * @maxItems 32
   */
  channels?: ChannelRequest[] | null;
}

/** Answers a prompt. The first valid answer decides. */
export interface ConfirmMessage extends ActionMessage {
  action: 'confirm';
  callback_id: Identifier;
  /** Absent means `false`; a `choice` sets it. `null` only beside the `choice`. */
  proceed?: boolean | null;
  /** The user's own words; without NUL. */
  feedback?: string | null;
  /** The id of one of the prompt's choices. `null` only beside `proceed`. */
  choice?: string | null;
  /** What the prompt's `input_schema` asks for. */
  values?: JsonObject | null;
  /** A full replacement of the prompt's `proposal`, where that is `editable`. */
  edited?: Json;
  /** The prompt's `digest`, where it has one. */
  digest?: string | null;
}

/** Cancels a task and its pending prompts. */
export interface CancelMessage extends ActionMessage {
  action: 'cancel';
  user_id: Identifier;
  task_id: Identifier;
  /**
   * Why, in words; without NUL.
   * @maxLength 1024
   */
  reason?: string | null;
}

/** Acknowledges a message that has `requires_ack`. */
export interface AckMessage extends ActionMessage {
  action: 'ack';
  message_id: Identifier;
}

/** Brings a token: the first one, or one that renews the connection's. */
export interface AuthenticateMessage extends ActionMessage {
  action: 'authenticate';
  /** @minLength 1 */
  token: string;
}

/** Asks for the prompts that are open for this connection. */
export interface PendingMessage extends ActionMessage {
  action: 'pending';
  /**
   * By default 100.
   * @integer
   * @minimum 1
   * @maximum 1000
   */
  limit?: number | null;
  /** Of the page before. */
  cursor?: string | null;
}

/** Says that a device shows the prompt. */
export interface SeenMessage extends ActionMessage {
  action: 'seen';
  callback_id: Identifier;
}

/** Hides a prompt on all devices of its user for a while. It decides nothing. */
export interface DismissMessage extends ActionMessage {
  action: 'dismiss';
  callback_id: Identifier;
  /**
   * Unix seconds, at least a minute from now. Absent: until `confirmation_expiring`.
   * @exclusiveMinimum 0
   */
  until?: number | null;
}

/** The message of each action. */
export interface ClientMessages {
  ping: PingMessage;
  subscribe: SubscribeMessage;
  unsubscribe: UnsubscribeMessage;
  confirm: ConfirmMessage;
  cancel: CancelMessage;
  ack: AckMessage;
  authenticate: AuthenticateMessage;
  pending: PendingMessage;
  seen: SeenMessage;
  dismiss: DismissMessage;
}
