/**
 * `websocket-manager/service`: the module's parts on which the stand-alone service builds its routes, settings, logs and
 * workers. Applications do not need them, and they may change in any version.
 */
export { CountedPlace, PlaceCounter } from './gateway/places.js';
export { applyApiDocs } from './http/apply-api-docs.js';
export { RequirePermission } from './http/decorators/require-permission.decorator.js';
export { RestController } from './http/decorators/rest-controller.decorator.js';
export { HealthController } from './http/health.controller.js';
export { MetricsController } from './http/metrics.controller.js';
export { Entrance } from './http/entrance.js';
export { answerInternal } from './http/error-response.js';
export { ProtocolErrorFilter } from './http/filters/protocol-error.filter.js';
export { totalsOf, type Totals } from './metrics/totals.js';
export { NotificationMetrics } from './notification.metrics.js';
export { PUBLIC_URL, REDIS_PREFIX, resolveOptions } from './notification.options.js';
export { printable } from './access/printable.js';
export { canonicalOrigin, isLoopback, parseHost } from './access/web-address.js';
export { WEBHOOK_SECRET } from './webhook/webhook-options.js';
