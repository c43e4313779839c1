/**
 * The reusable module: `NotificationModule.forRoot(options)` or `forRootAsync({ useFactory, inject, imports })`.
 * The one place that chooses an engine.
 */
import { ConfigurableModuleBuilder, Inject, Logger, Module, type OnApplicationBootstrap, type Provider } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, ModulesContainer, RouterModule } from '@nestjs/core';
import { Acknowledgements } from './subscription/acknowledgements.js';
import { Access } from './access/access.js';
import { AuditTrail } from './access/audit.js';
import { printable } from './access/printable.js';
import { Addresses } from './access/address-limits.js';
import { Budgets } from './access/budgets.js';
import { ListeningAddress } from './access/listening-address.js';
import { Pages } from './access/pages.js';
import { ServerPhase } from './access/server-phase.js';
import { Rights } from './access/rights.js';
import { Tokens } from './access/token-verifier.js';
import { CallbackRegistry } from './confirmation/callback-registry.js';
import { Confirmations } from './confirmation/confirmations.js';
import { Hub } from './connection/hub.js';
import { Reading } from './connection/reading.js';
import { TimerWheel } from './pacing/timer-wheel.js';
import { Dispatcher } from './dispatcher.js';
import { Broker, ConfirmationStore, Engine, EventQueue, Presence, Revocations, TaskStore } from './engine/engine.js';
import { NotificationGateway } from './gateway/notification.gateway.js';
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
import { BroadcastController } from './http/broadcast.controller.js';
import { Callers } from './http/callers.js';
import { ConfirmationsController } from './http/confirmations.controller.js';
import { Entrance } from './http/entrance.js';
import { ProtocolErrorFilter } from './http/filters/protocol-error.filter.js';
import { ApiGuard, REST_GUARDS, type RestGuards } from './http/guards/api.guard.js';
import { HealthController } from './http/health.controller.js';
import { MetricsController } from './http/metrics.controller.js';
import { isRestController } from './http/routes.js';
import { NotificationHealthIndicator } from './http/notification.health.js';
import { exemptFromGlobals } from './host-globals.js';
import { NotificationWsAdapter } from './gateway/notification-ws.adapter.js';
import { LongPolls } from './http/long-polls.js';
import { StatusController } from './http/status.controller.js';
import { TasksController } from './http/tasks.controller.js';
import { UsersController } from './http/users.controller.js';
import { NotificationMetrics } from './notification.metrics.js';
import { ConfigurationError } from './notification.errors.js';
import { ResolvedOptions, resolveOptions, type NotificationOptions } from './notification.options.js';
import { ServerLifecycle } from './server-lifecycle.js';
import { NotificationActions } from './notification.actions.js';
import { Publisher } from './subscription/publisher.js';
import { NotificationService } from './notification.service.js';
import { Recoveries } from './subscription/recoveries.js';
import { Cancellations } from './task/cancellations.js';
import { HeartbeatLeases } from './task/heartbeat-leases.js';
import { Heartbeats, heartbeatMessage } from './task/heartbeats.js';
import { TaskHeartbeats } from './task/task-heartbeats.js';
import { WebhookSender } from './webhook/sender.js';
import { userChannel } from '../protocol/channels.js';

/** Beside the options: what Nest must know before they are resolved. Of `forRootAsync` it stands beside `useFactory`. */
export interface NotificationModuleExtras {
  /** Whether every module of the application may inject the service without importing this one. @default false */
  isGlobal?: boolean;
  /** The REST routes: `false` for none, or where they are and what guards them. @default true */
  rest?: boolean | RestOptions;
  /** `GET /health/live`, `/health/ready` and `/ws/health`, open to everybody. @default false */
  health?: boolean;
  /** `GET /metrics` in Prometheus' text format, for services. @default false */
  metrics?: boolean;
  /**
   * Whether the application's global guards and interceptors work on the actions, and its interceptors on the routes: for
   * those that are written for it. @default false
   */
  obeyGlobals?: boolean;
}

export interface RestOptions {
  /** Stands before `/ws/…` and behind the application's global prefix. @default none */
  prefix?: string;
  /** Guards of the application's own, as classes that Nest can inject or as objects. They run before the module's. */
  guards?: RestGuards;
}

/** DI token of `obeyGlobals`. */
const ObeyGlobals = Symbol('ObeyGlobals');

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<NotificationOptions>()
  .setClassMethodName('forRoot')
  .setExtras<Required<NotificationModuleExtras>>(
    { isGlobal: false, rest: true, health: false, metrics: false, obeyGlobals: false },
    (definition, { isGlobal, rest, health, metrics, obeyGlobals }) => {
      const { prefix, guards = [] } = typeof rest === 'object' ? rest : {};
      const routes = prefix === undefined ? [] : [RouterModule.register([{ path: prefix, module: definition.module }])];
      return {
        ...definition,
        global: isGlobal,
        imports: [...(definition.imports ?? []), ...routes],
        controllers: [
          ...(rest === false ? [] : REST_CONTROLLERS),
          ...(health ? [HealthController] : []),
          ...(metrics ? [MetricsController] : []),
        ],
        providers: [
          ...(definition.providers ?? []),
          { provide: REST_GUARDS, useValue: guards },
          { provide: ObeyGlobals, useValue: obeyGlobals },
        ],
      };
    },
  )
  .build();

const REST_CONTROLLERS = [StatusController, BroadcastController, UsersController, ConfirmationsController, TasksController];

const providers: Provider[] = [
  { provide: ResolvedOptions, useFactory: resolveOptions, inject: [MODULE_OPTIONS_TOKEN] },
  {
    provide: Engine,
    useFactory: newEngine,
    inject: [ResolvedOptions, Reading],
  },
  { provide: ConfirmationStore, useFactory: (engine: Engine) => engine.confirmations, inject: [Engine] },
  { provide: TaskStore, useFactory: (engine: Engine) => engine.tasks, inject: [Engine] },
  { provide: Broker, useFactory: (engine: Engine) => engine.broker, inject: [Engine] },
  { provide: Presence, useFactory: (engine: Engine) => engine.presence, inject: [Engine] },
  { provide: Revocations, useFactory: (engine: Engine) => engine.revocations, inject: [Engine] },
  { provide: EventQueue, useFactory: (engine: Engine) => engine.events, inject: [Engine] },
  ServerPhase,
  {
    provide: Reading,
    useFactory: (phase: ServerPhase, listening: ListeningAddress) =>
      new Reading(() => phase.isAccepting && listening.server?.listening === true),
    inject: [ServerPhase, ListeningAddress],
  },
  Hub,
  SubscriptionIndex,
  PendingPrompts,
  Recoveries,
  Delivery,
  { provide: Addresses, useFactory: (options: ResolvedOptions) => new Addresses(options), inject: [ResolvedOptions] },
  ListeningAddress,
  Pages,
  Budgets,
  Tokens,
  Rights,
  AuditTrail,
  Access,
  { provide: TimerWheel, useFactory: () => new TimerWheel() },
  NotificationMetrics,
  CallbackRegistry,
  {
    provide: Confirmations,
    useFactory: (store: ConfirmationStore, callbacks: CallbackRegistry, options: ResolvedOptions) =>
      new Confirmations(store, callbacks, options),
    inject: [ConfirmationStore, CallbackRegistry, ResolvedOptions],
  },
  {
    provide: Cancellations,
    useFactory: (tasks: TaskStore, options: ResolvedOptions) => new Cancellations(tasks, options.retentionMs),
    inject: [TaskStore, ResolvedOptions],
  },
  {
    provide: Heartbeats,
    useFactory: (broker: Broker, wheel: TimerWheel) => {
      const logger = new Logger('Heartbeats');
      return new Heartbeats(wheel, (userId, taskId) => {
        broker
          .publish({ channel: userChannel(userId), message: { ...heartbeatMessage(userId, taskId) }, recoverable: false })
          .catch((error: unknown) => logger.warn(`a heartbeat of task ${printable(taskId)} was lost: ${String(error)}`));
      });
    },
    inject: [Broker, TimerWheel],
  },
  {
    provide: HeartbeatLeases,
    useFactory: (heartbeats: Heartbeats, broker: Broker) => {
      const logger = new Logger('Heartbeats');
      return new HeartbeatLeases(heartbeats, broker, (message) => logger.warn(message));
    },
    inject: [Heartbeats, Broker],
  },
  {
    provide: WebhookSender,
    useFactory: (queue: EventQueue, options: ResolvedOptions, metrics: NotificationMetrics) =>
      new WebhookSender(queue, options.webhook, metrics, new Logger('Webhook'), options.publicUrl),
    inject: [EventQueue, ResolvedOptions, NotificationMetrics],
  },
  { provide: Acknowledgements, useFactory: (broker: Broker) => new Acknowledgements(broker), inject: [Broker] },
  {
    provide: Dispatcher,
    useFactory: (...parts: ConstructorParameters<typeof Dispatcher>) => new Dispatcher(...parts),
    inject: [
      Hub,
      Delivery,
      PendingPrompts,
      Confirmations,
      Cancellations,
      Heartbeats,
      WebhookSender,
      NotificationMetrics,
      AuditTrail,
      Recoveries,
      Rights,
      Acknowledgements,
    ],
  },
  ServerLifecycle,
  Publisher,
  TaskHeartbeats,
  NotificationActions,
  NotificationService,
  Subscriptions,
  Identities,
  AccessReview,
  Authentication,
  Handshake,
  NotificationWebSocketServer,
  LongPolls,
  Places,
  NotificationGateway,
  ProtocolErrorFilter,
  Callers,
  ApiGuard,
  Entrance,
  NotificationHealthIndicator,
];

/** Loads only the engine that is chosen: the other one's libraries cost every start a tenth of a second. */
async function newEngine(options: ResolvedOptions, reading: Reading): Promise<Engine> {
  const logger = new Logger('Engine');
  const settings = { ...options, webhookEvents: options.webhook?.events };
  if (options.engine === 'embedded') {
    const { EmbeddedEngine } = await import('./engine/embedded/embedded-engine.js');
    return new EmbeddedEngine({ dataDir: options.dataDir, settings, reading, logger });
  }
  const { RedisEngine } = await import('./engine/redis/redis-engine.js').catch((cause: unknown) => {
    throw new ConfigurationError(`the engine redis needs the package redis (npm install redis): ${String(cause)}`);
  });
  const [only, ...others] = options.redisUrls;
  return new RedisEngine({
    url: only !== undefined && others.length === 0 ? only : { cluster: options.redisUrls },
    settings,
    reading,
    commandTimeoutMs: options.engineTimeoutMs,
    acceptLoss: options.redisAcceptLoss,
    waitReplicas: options.redisWaitReplicas,
    keyPrefix: options.redisPrefix,
    nodeName: options.workerGroup?.nodeName,
    logger,
  });
}

@Module({
  providers,
  exports: [
    NotificationService,
    NotificationMetrics,
    NotificationHealthIndicator,
    ApiGuard,
    REST_GUARDS,
    Callers,
    Pages,
    Entrance,
    ProtocolErrorFilter,
    ResolvedOptions,
    Addresses,
    AuditTrail,
    Reading,
  ],
})
export class NotificationModule extends ConfigurableModuleClass implements OnApplicationBootstrap {
  private readonly logger = new Logger(NotificationModule.name);

  /** @throws ConfigurationError in an application that imports the module twice: the second service would reach nobody */
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
        (one) => isRestController(one) || one === HealthController,
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
