/** The public names of the reusable module; nothing else leaves. */
export type { GivenAnswer } from './confirmation/answer.js';
export type { Answerer } from './confirmation/confirmations.js';
export type { AskRequest, NotifyUserOptions } from './confirmation/prepare-request.js';
export type { ConfirmationResult } from './confirmation/presentation.js';
export type { DecisionEvent } from './dispatcher.js';
export type {
  CancelRequest,
  ClusterStatus,
  Confirmation,
  ConfirmationQuery,
  Decision,
  Device,
  Page,
  UserPresence as Presence,
  Scope,
  Task,
} from './engine/engine.js';
export { NotificationWsAdapter } from './gateway/notification-ws.adapter.js';
export { AuditTrail } from './access/audit.js';
export { printable } from './access/printable.js';
export { JwtAuthenticator, type JwtSettings } from './access/jwt-authenticator.js';
export type { ListeningAt } from './access/listening-address.js';
export { canonicalOrigin, isLoopback, parseHost } from './access/web-address.js';
export { RequirePermission } from './http/decorators/require-permission.decorator.js';
export { applyApiDocs } from './http/api-docs.js';
export { Entrance } from './http/entrance.js';
export { CountedPlace, PlaceCounter } from './gateway/places.js';
export { HealthController } from './http/health.controller.js';
export { MetricsController } from './http/metrics.controller.js';
export { answerInternal } from './http/error-response.js';
export { ProtocolErrorFilter } from './http/filters/protocol-error.filter.js';
export { RestController } from './http/decorators/rest-controller.decorator.js';
export { NotificationMetrics, totalsOf, type Totals } from './notification.metrics.js';
export * from './notification.errors.js';
export { NotificationHealthIndicator, type HealthStatus } from './http/notification.health.js';
export { NotificationModule, type NotificationModuleExtras, type RestOptions } from './notification.module.js';
export type { RestGuards } from './http/guards/api.guard.js';
export { REDIS_PREFIX, PUBLIC_URL, resolveOptions, type NotificationOptions } from './notification.options.js';
export { WEBHOOK_SECRET, type WebhookOptions } from './webhook/webhook-options.js';
export type { AccessPolicy } from './access/access-policy.js';
export type { Actor, AuditEntry } from './access/audit-entry.js';
export type { AuthenticatedUser, Authenticator } from './access/authenticator.js';
export type { Place, PlaceKind, WorkerGroup } from './access/worker-group.js';
export { NotificationService, type Delivery, type SendOptions, type Status } from './notification.service.js';
export type { HeartbeatHandle } from './task/heartbeats.js';
