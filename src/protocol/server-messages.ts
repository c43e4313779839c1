/** What the server sends, by type. Any other type is the application's own message. */
import type {
  AcknowledgedReply,
  AuthenticatedReply,
  ConfirmationAccepted,
  DismissedReply,
  PendingReply,
  PongReply,
  SeenReply,
  SubscriptionConfirmed,
  SubscriptionsConfirmed,
  UnsubscribedFromSeveral,
  UnsubscribedReply,
} from './replies.js';
import type {
  ConfirmationDismissed,
  ConfirmationExpiring,
  ConfirmationResolved,
  DeliveredMessage,
  ErrorMessage,
  Heartbeat,
  Recovered,
  SubscriptionEnded,
  TaskCancelled,
  TaskStepResult,
} from './messages.js';

export interface ServerMessages {
  task_step_result: TaskStepResult;
  confirmation_resolved: ConfirmationResolved;
  confirmation_expiring: ConfirmationExpiring;
  confirmation_dismissed: ConfirmationDismissed;
  task_cancelled: TaskCancelled;
  /** The product's, or one of the application's own. */
  heartbeat: Heartbeat | DeliveredMessage;
  recovered: Recovered;
  error: ErrorMessage;
  pong: PongReply;
  subscription_confirmed: SubscriptionConfirmed | SubscriptionsConfirmed;
  unsubscribed: UnsubscribedReply | UnsubscribedFromSeveral | SubscriptionEnded;
  confirmation_accepted: ConfirmationAccepted;
  acknowledged: AcknowledgedReply;
  authenticated: AuthenticatedReply;
  pending: PendingReply;
  seen: SeenReply;
  dismissed: DismissedReply;
}
