/** The reply to each action. The AsyncAPI document is made from these types, comments and tags included. */
import type { PingMessage } from './actions.js';
import type { RequestId, StreamPosition, TaskCancelled, TaskStepResult } from './messages.js';

/** What every reply carries that the action had. */
export interface ReplyMessage {
  request_id?: RequestId;
}

/** The reply to `ping`. */
export interface PongReply extends ReplyMessage {
  type: 'pong';
  timestamp: number;
  /** The whole frame. */
  original_data: PingMessage;
}

/** What a reply says about one new subscription. */
export interface Subscribed extends StreamPosition {
  channel: string;
  /** Ids of the open prompts, so that a client can remove the others. */
  pending: string[];
}

/** The reply to a `subscribe` of one channel. */
export interface SubscriptionConfirmed extends ReplyMessage, Subscribed {
  type: 'subscription_confirmed';
  user_id?: string;
  task_id?: string;
}

/** The reply to a `subscribe` of several channels. For a user and a task it is also about the user alone. */
export interface SubscriptionsConfirmed extends ReplyMessage {
  type: 'subscription_confirmed';
  user_id?: string;
  task_id?: string;
  channel?: string;
  epoch?: string;
  /** @integer */
  offset?: number;
  pending?: string[];
  subscriptions: Subscribed[];
}

/** The reply to an `unsubscribe` of one channel. */
export interface UnsubscribedReply extends ReplyMessage {
  type: 'unsubscribed';
  user_id?: string;
  task_id?: string;
  channel: string;
}

/** The reply to an `unsubscribe` of several channels. */
export interface UnsubscribedFromSeveral extends ReplyMessage {
  type: 'unsubscribed';
  user_id?: string;
  task_id?: string;
  channels: string[];
}

/** The reply to `confirm`: this answer is the decision, and it is stored. */
export interface ConfirmationAccepted extends ReplyMessage {
  type: 'confirmation_accepted';
  callback_id: string;
}

/** The reply to `seen`. */
export interface SeenReply extends ReplyMessage {
  type: 'seen';
  callback_id: string;
  /** When a device first showed it; `null`: it was decided before. */
  seen_at: number | null;
}

/** The reply to `dismiss`. */
export interface DismissedReply extends ReplyMessage {
  type: 'dismissed';
  callback_id: string;
  dismissed_until: number;
}

/** The reply to `ack`. */
export interface AcknowledgedReply extends ReplyMessage {
  type: 'acknowledged';
  message_id: string;
}

/** The reply to `authenticate`. */
export interface AuthenticatedReply extends ReplyMessage {
  type: 'authenticated';
  user_id: string;
  /** When the token ends; `null`: never. */
  expires_at: number | null;
}

/** The reply to `pending`. */
export interface PendingReply extends ReplyMessage {
  type: 'pending';
  confirmations: TaskStepResult[];
  /** For the next page; absent on the last. */
  cursor?: string;
}

/** The reply to each action. An error may take its place. */
export interface Replies {
  ping: PongReply;
  subscribe: SubscriptionConfirmed | SubscriptionsConfirmed;
  unsubscribe: UnsubscribedReply | UnsubscribedFromSeveral;
  confirm: ConfirmationAccepted;
  cancel: TaskCancelled;
  ack: AcknowledgedReply;
  authenticate: AuthenticatedReply;
  pending: PendingReply;
  seen: SeenReply;
  dismiss: DismissedReply;
}
