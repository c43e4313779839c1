/**
 * `websocket-manager/service`: the module's parts on which the stand-alone service builds its routes, settings, logs and
 * workers. Applications do not need them, and they may change in any version.
 */
import { Addresses, isProxy } from './access/address-limits.js';
import { AuditTrail } from './access/audit.js';
import { PageOrigins } from './access/page-origins.js';
import { Reading } from './connection/reading.js';
import { Callers } from './http/callers.js';
import { REST_GUARDS } from './http/guards/api.guard.js';
import { NotificationMetrics } from './notification.metrics.js';

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
export { isProxy, NotificationMetrics };
export { PUBLIC_URL, REDIS_PREFIX, REDIS_URL, resolveOptions } from './notification.options.js';
export { printable } from './access/printable.js';
export { canonicalOrigin, isLoopback, parseHost } from './access/web-address.js';
export { WEBHOOK_SECRET } from './webhook/webhook-options.js';

/** What the module exports to the stand-alone service alone: its own health and metrics controllers and their guard need it. */
export const SERVICE_EXPORTS = [NotificationMetrics, REST_GUARDS, Callers, PageOrigins, Addresses, AuditTrail, Reading];
