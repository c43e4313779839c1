/** What `forRoot` and `forRootAsync` take beside the module's options, and what they make of it. */
import { ConfigurableModuleBuilder } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { BroadcastController } from './http/broadcast.controller.js';
import { ConfirmationsController } from './http/confirmations.controller.js';
import { REST_GUARDS, type RestGuards } from './http/guards/api.guard.js';
import { DocsController } from './http/docs.controller.js';
import { HealthController } from './http/health.controller.js';
import { MetricsController } from './http/metrics.controller.js';
import { NodesController } from './http/nodes.controller.js';
import { StatusController } from './http/status.controller.js';
import { TasksController } from './http/tasks.controller.js';
import { UsersController } from './http/users.controller.js';
import type { NotificationOptions } from './notification.options.js';

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
  /** `GET /docs`: a page about every route and message, and its OpenAPI and AsyncAPI documents, open to everybody. @default false */
  docs?: boolean;
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
export const ObeyGlobals = Symbol('ObeyGlobals');

const REST_CONTROLLERS = [
  StatusController,
  NodesController,
  BroadcastController,
  UsersController,
  ConfirmationsController,
  TasksController,
];

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<NotificationOptions>()
  .setClassMethodName('forRoot')
  .setExtras<Required<NotificationModuleExtras>>(
    { isGlobal: false, rest: true, health: false, metrics: false, docs: false, obeyGlobals: false },
    (definition, { isGlobal, rest, health, metrics, docs, obeyGlobals }) => {
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
          ...(docs ? [DocsController] : []),
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
