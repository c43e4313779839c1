/** The reusable module: `NotificationModule.forRoot(options)` or `forRootAsync({ useFactory, inject, imports })`. */
import { Inject, Logger, Module, type OnApplicationBootstrap, type Provider } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import { Acknowledgements } from './subscription/acknowledgements.js';
import { Access } from './access/access.js';
import { AuditTrail } from './access/audit.js';
import { Addresses } from './access/address-limits.js';
import { Budgets } from './access/budgets.js';
import { ListeningAddress } from './access/listening-address.js';
import { PageOrigins } from './access/page-origins.js';
import { ServerPhase } from './server/server-phase.js';
import { Rights } from './access/rights.js';
import { Tokens } from './access/token-verifier.js';
import { CallbackRegistry } from './confirmation/callback-registry.js';
import { Confirmations } from './confirmation/confirmations.js';
import { Hub } from './connection/hub.js';
import { Reading } from './connection/reading.js';
import { Clock, systemClock } from './pacing/clock.js';
import { Pacing } from './pacing/pacing.js';
import { TimerWheel } from './pacing/timer-wheel.js';
import { Dispatcher } from './dispatcher.js';
import { ENGINE_PROVIDERS } from './engine.provider.js';
import { NotificationGateway } from './gateway/notification.gateway.js';
import { ClientServices } from './gateway/client.js';
import { Places } from './gateway/places.js';
import { Authentication } from './gateway/authentication.js';
import { Handshake } from './gateway/handshake.js';
import { NotificationWebSocketServer } from './gateway/websocket-server.js';
import { AccessReview } from './subscription/access-review.js';
import { Delivery } from './subscription/delivery.js';
import { Identities } from './subscription/identities.js';
import { PendingPrompts } from './subscription/pending-prompts.js';
import { SubscriptionIndex } from './subscription/subscription-index.js';
import { Subscriptions } from './subscription/subscriptions.js';
import { Callers } from './http/callers.js';
import { Entrance } from './http/entrance.js';
import { ProtocolErrorFilter } from './http/filters/protocol-error.filter.js';
import { ApiGuard } from './http/guards/api.guard.js';
import { DocsController } from './http/docs.controller.js';
import { HealthController } from './http/health.controller.js';
import { isRestController } from './http/routes.js';
import { NotificationHealthIndicator } from './http/notification.health.js';
import { exemptFromGlobals } from './isolation/exempt-from-globals.js';
import { NotificationWsAdapter } from './gateway/notification-ws.adapter.js';
import { LongPolls } from './http/long-polls.js';
import { NotificationMetrics } from './notification.metrics.js';
import { ConfigurationError } from './notification.errors.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ObeyGlobals } from './notification.module-definition.js';
import { ResolvedOptions, resolveOptions } from './notification.options.js';
import { ServerLifecycle } from './server/server-lifecycle.js';
import { NotificationActions } from './notification.actions.js';
import { Publisher } from './subscription/publisher.js';
import { NodeGauges } from './server/node-gauges.js';
import { NodeStatus } from './server/node-status.js';
import { NotificationService } from './notification.service.js';
import { Recoveries } from './subscription/recoveries.js';
import { Cancellations } from './task/cancellations.js';
import { HeartbeatLeases } from './task/heartbeat-leases.js';
import { Heartbeats } from './task/heartbeats.js';
import { TaskHeartbeats } from './task/task-heartbeats.js';
import { WebhookSender } from './webhook/sender.js';

const PROVIDERS: Provider[] = [
  { provide: ResolvedOptions, useFactory: resolveOptions, inject: [MODULE_OPTIONS_TOKEN] },
  ...ENGINE_PROVIDERS,
  ServerPhase,
  ListeningAddress,
  {
    // A connection knows no Nest.
    provide: Reading,
    useFactory: (phase: ServerPhase, listening: ListeningAddress) =>
      new Reading(() => phase.isAccepting && listening.server?.listening === true),
    inject: [ServerPhase, ListeningAddress],
  },
  Hub,
  { provide: Clock, useValue: systemClock },
  Pacing,
  { provide: TimerWheel, useFactory: () => new TimerWheel() },
  NotificationMetrics,
  Addresses,
  PageOrigins,
  Budgets,
  Tokens,
  Rights,
  AuditTrail,
  Access,
  SubscriptionIndex,
  PendingPrompts,
  Recoveries,
  Delivery,
  Subscriptions,
  Identities,
  AccessReview,
  Acknowledgements,
  Publisher,
  CallbackRegistry,
  Confirmations,
  Cancellations,
  Heartbeats,
  HeartbeatLeases,
  TaskHeartbeats,
  WebhookSender,
  Dispatcher,
  ServerLifecycle,
  NodeStatus,
  NotificationActions,
  NotificationService,
  NodeGauges,
  Authentication,
  Handshake,
  ClientServices,
  NotificationWebSocketServer,
  Places,
  NotificationGateway,
  ProtocolErrorFilter,
  Callers,
  ApiGuard,
  Entrance,
  LongPolls,
  NotificationHealthIndicator,
];

@Module({
  providers: PROVIDERS,
  exports: [NotificationService, NotificationHealthIndicator],
})
export class NotificationModule extends ConfigurableModuleClass implements OnApplicationBootstrap {
  private readonly logger = new Logger(NotificationModule.name);

  /** @throws ConfigurationError in an application that imports the module twice: the second service would reach no connection */
  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(ApplicationConfig) config: ApplicationConfig,
    @Inject(ModuleRef) moduleRef: ModuleRef,
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(ObeyGlobals) obeyGlobals: boolean,
  ) {
    super();
    const instances = [...modules.values()].filter(({ metatype }) => metatype === NotificationModule);
    if (instances.length > 1)
      throw new ConfigurationError(
        'NotificationModule.forRoot() is imported more than once in this application: import it in one module, with isGlobal: true or re-exported',
      );
    // An adapter that the application sets later replaces this one; one that was set before stays.
    if (!hasAdapter(config)) config.setIoAdapter(new NotificationWsAdapter(moduleRef));
    if (!obeyGlobals)
      exemptFromGlobals(
        config,
        (one) => one === NotificationGateway,
        (one) => isRestController(one) || one === HealthController || one === DocsController,
      );
  }

  onApplicationBootstrap(): void {
    if (this.options.authenticator) return;
    this.logger.warn(
      'open mode: any client may act as any user, and answer. WEBSOCKET_AUTH=jwt (option authenticator) requires tokens.',
    );
  }
}

/** Nest's type says that there always is one. */
function hasAdapter(config: ApplicationConfig): boolean {
  const adapter: unknown = config.getIoAdapter();
  return adapter !== undefined && adapter !== null;
}
