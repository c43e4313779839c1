/**
 * The checks that every HTTP request of the module passes before its body is read and before it is routed:
 *
 *  1. The page that sent it may use the service (`PageOrigins`); a preflight is answered here.
 *  2. A connection's requests are served one after the other: a pipelined one waits for the answer before it.
 *  3. The headers identify the caller of a REST route. A request without a valid key or token is refused, and its
 *     connection closed, before its body is read.
 *  4. The number of requests under way and the bytes of their bodies are bounded, in total and for each network.
 *
 * The module installs it for its own routes, ahead of a host application's parsers; the stand-alone service for all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Inject, Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { MODULE_PATH } from '@nestjs/common/constants.js';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { Addresses } from '../access/address-limits.js';
import { PageOrigins } from '../access/page-origins.js';
import { NotificationError } from '../notification.errors.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';
import { BodyBudget } from './body-budget.js';
import { Callers } from './callers.js';
import { sendError } from './error-response.js';
import { ProtocolErrorFilter } from './filters/protocol-error.filter.js';
import { hideBody, keepBody } from './body-reader.js';
import { isWebSocketPath, pathOf } from '../gateway/handshake.js';
import { Routes } from './routes.js';

/** Requests of this process that may be under way at once, long polls included. */
const MAX_REQUESTS = 10_000;
/** Pipelined requests that may wait on one connection. One more cuts the connection. */
const MAX_PIPELINED = 100;

const PREFLIGHT = {
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, X-API-Key, Idempotency-Key, Content-Type, Traceparent, Tracestate',
  'Access-Control-Max-Age': '600',
};
const EXPOSED = 'Retry-After, WWW-Authenticate';

interface Line {
  last: Promise<void>;
  waiting: number;
}

@Injectable()
export class Entrance implements OnModuleInit {
  private readonly admitted = new WeakSet<IncomingMessage>();
  private readonly lines = new WeakMap<Socket, Line>();
  private readonly bodies = new BodyBudget();
  private requests = 0;
  private routes: Routes | undefined;

  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(ApplicationConfig) private readonly application: ApplicationConfig,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    private readonly origins: PageOrigins,
    private readonly callers: Callers,
    private readonly addresses: Addresses,
    private readonly errors: ProtocolErrorFilter,
    private readonly metrics: NotificationMetrics,
  ) {
    // A testing module has an adapter only once its application is created. An application context never has one.
    host.init$.subscribe(() => {
      this.adapter?.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
        if (this.routeOf(request) === undefined) {
          next();
          return;
        }
        hideBody(request);
        keepBody(request);
        void this.admit(request, response, next);
      });
    });
  }

  /** Registered after every route: a plain request on the WebSocket's path that no route takes gets 426. */
  onModuleInit(): void {
    this.adapter?.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (!isWebSocketPath(request, this.options)) {
        next();
        return;
      }
      response.setHeader('Upgrade', 'websocket');
      response.setHeader('Connection', 'Upgrade');
      sendError(request, response, 426, { code: 'INVALID_MESSAGE', message: 'this path takes WebSocket upgrades' });
    });
  }

  /** An application context has no adapter, although the type says so. */
  private get adapter(): HttpAdapterHost['httpAdapter'] | null {
    return this.host.httpAdapter;
  }

  /** A middleware that admits any request, for a server that serves nothing else. */
  readonly admitAll = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    if (this.admitted.has(request)) next();
    else void this.admit(request, response, next);
  };

  private async admit(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
    this.admitted.add(request);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Content-Security-Policy', "frame-ancestors 'none'");
    const route = this.routeOf(request);
    if (route !== undefined) response.once('finish', () => this.metrics.httpResponses.add(String(response.statusCode)));
    try {
      const origin = this.origins.check(request);
      response.setHeader('Vary', 'Origin');
      if (origin !== undefined) {
        response.setHeader('Access-Control-Allow-Origin', origin);
        response.setHeader('Access-Control-Expose-Headers', EXPOSED);
        if (isPreflight(request)) {
          response.writeHead(204, PREFLIGHT).end();
          return;
        }
      }
      await this.turn(request, response);
      // Node emits no 'close' for responses that were waiting when their connection went.
      if (isGone(request)) return;
      this.count(response);
      // Only the module's routes read a body.
      if (route !== undefined) {
        await this.callers.identify(request, response);
        if (!this.bodies.admits(request, response, this.addresses.of(request)))
          throw new NotificationError('BUSY', 'too many bodies under way');
      }
    } catch (error) {
      this.errors.answer(error, request, response, route);
      return;
    }
    if (!isGone(request)) next();
  }

  /** The pattern of the REST route that a request asks for. */
  private routeOf(request: IncomingMessage): string | undefined {
    this.routes ??= new Routes(
      [...this.modules.values()].flatMap(({ controllers, metatype }) =>
        [...controllers.values()].map((wrapper) => ({ controller: wrapper.metatype, modulePath: this.pathOfModule(metatype) })),
      ),
      (path) => this.prefixOf(path),
    );
    return this.routes.find(pathOf(request));
  }

  /** The path under which `RouterModule` registered a module. */
  private pathOfModule(module: Type): string {
    const own = Reflect.getMetadata(MODULE_PATH + this.modules.applicationId, module) as string | undefined;
    return own ?? (Reflect.getMetadata(MODULE_PATH, module) as string | undefined) ?? '';
  }

  /** The application's global prefix, without which it may serve some paths. */
  private prefixOf(path: string): string {
    const { exclude = [] } = this.application.getGlobalPrefixOptions();
    return exclude.some(({ pathRegex }) => pathRegex.test(path)) ? '' : this.application.getGlobalPrefix();
  }

  /** @throws NotificationError BUSY */
  private count(response: ServerResponse): void {
    if (this.requests >= MAX_REQUESTS) throw new NotificationError('BUSY', 'too many requests under way');
    this.requests += 1;
    response.once('close', () => (this.requests -= 1));
  }

  /** Resolves when the connection's earlier requests have been answered. */
  private async turn({ socket }: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = this.lines.get(socket) ?? { last: Promise.resolve(), waiting: 0 };
    this.lines.set(socket, line);
    if (line.waiting >= MAX_PIPELINED) socket.destroy();
    const before = line.last;
    line.last = new Promise((resolve) => {
      response.once('close', resolve);
    });
    line.waiting += 1;
    await before;
    line.waiting -= 1;
  }
}

const isGone = ({ socket }: IncomingMessage): boolean => socket.destroyed;

function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
