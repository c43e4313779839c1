/**
 * The public names of the reusable module: the module, its service and adapter, its errors, and every type that one of their
 * signatures needs. `service-door.ts` has what only the stand-alone service needs.
 */
export { NotificationModule } from './notification.module.js';
export type { NotificationModuleExtras, RestOptions } from './notification.module-definition.js';
export { NotificationHealthIndicator, type HealthStatus } from './http/notification.health.js';
export type { RestGuards } from './http/guards/api.guard.js';
export { NotificationService } from './notification.service.js';
export { NotificationWsAdapter } from './gateway/notification-ws.adapter.js';
export { JwtAuthenticator, type JwtSettings } from './access/jwt-authenticator.js';
export * from './notification.errors.js';

/* options */
export type { NotificationOptions } from './notification.options.js';
export type { AccessPolicy } from './access/access-policy.js';
export type { Actor, AuditEntry } from './access/audit-entry.js';
export type { AuthenticatedUser, Authenticator } from './access/authenticator.js';
export type { Place, PlaceKind, WorkerGroup } from './access/worker-group.js';
export type { WebhookOptions } from './webhook/webhook-options.js';
export type { WebhookEventName } from '../protocol/webhook-events.js';

/* asking */
export type { AskRequest, NotifyUserOptions } from './confirmation/prepare-request.js';
export type { ConfirmationResult } from './confirmation/presentation.js';
export type { GivenAnswer } from './confirmation/answer.js';
export type { DecisionEvent } from './dispatcher.js';
export type { AnswerBy, ConfirmationPage, ListConfirmationsOptions, WaitOptions } from './notification.requests.js';
export type {
  Confirmation,
  Decided as DecidedConfirmation,
  Decision as ConfirmationDecision,
  Pending as PendingConfirmation,
  Prompt as ConfirmationPrompt,
} from './engine/confirmation-store.js';
export type {
  Choice,
  ConfirmationState,
  InputField,
  InputSchema,
  Json,
  JsonObject,
  OnTimeout,
  Outcome,
  StepResult,
} from '../protocol/confirmation.js';

export type { TraceContext } from './tracing/trace-context.js';

/* tasks, messages, users and this node */
export type { Task as NotificationTask } from './engine/engine.js';
export type { HeartbeatHandle } from './task/heartbeats.js';
export type { MessageDelivery, SendOptions } from './subscription/publisher.js';
export type { ApplicationMessage, ConfirmationView, FieldErrors } from '../protocol/messages.js';
export type { ErrorCode } from '../protocol/codes.js';
export type { ClusterStatus, Device as UserDevice, UserPresence } from './engine/engine.js';
export type { ConnectionQuality } from './metrics/quality.js';
export type { ListeningAt } from './access/listening-address.js';
export type { NotificationStatus } from './server/node-status.js';
