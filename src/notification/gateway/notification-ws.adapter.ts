/**
 * Our WebSocket adapter: the only file that knows Nest's socket plumbing.
 *
 * The module installs it by itself. An application that sets another adapter sets this one instead:
 * `app.useWebSocketAdapter(new NotificationWsAdapter(app))`. It serves the notification gateway through the module's
 * `NotificationWebSocketServer`. Nest's stock adapter serves the application's other gateways.
 *  1. Frames of one connection are handled in order, and every frame is answered, in the same order. An answer to a prompt
 *     does not wait for the reply to the answer before it; every other frame does.
 *  2. What a handler returns is the reply. It carries the frame's `request_id`.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger, type INestApplicationContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import type { WsMessageHandler } from '@nestjs/common';
import { isObservable, type Observable } from 'rxjs';
import { assertAllowed } from '../access/access.js';
import { DecodeError, decodeFrame, isObject } from '../../protocol/decode.js';
import type { ClientMessage } from '../../protocol/actions.js';
import type { RequestId } from '../../protocol/messages.js';
import { Connection } from '../connection/connection.js';
import type { Turn } from '../connection/receive-queue.js';
import { UNREADABLE } from '../metrics/labels.js';
import { NotificationError } from '../notification.errors.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { BoundHandlers, type Handlers } from './bound-handlers.js';
import { NotificationWebSocketServer } from './websocket-server.js';
import { errorMessage, isFault } from '../protocol-error.js';
import { isStrike } from './filters/ws-error.filter.js';

/** Marks a gateway's options as the notification gateway's. */
export const NOTIFICATION_GATEWAY = 'notificationGateway';

/** Actions that begin while earlier frames wait for the engine's outcome. The engine carries out their calls in order. */
const OVERLAPPING: ReadonlySet<string> = new Set(['confirm']);

type StockServer = Parameters<WsAdapter['close']>[0];
type StockClient = Parameters<WsAdapter['bindClientDisconnect']>[0];
type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export class NotificationWsAdapter extends WsAdapter {
  private readonly log = new Logger(NotificationWsAdapter.name);
  private readonly upgradeListeners = new Map<NotificationWebSocketServer, UpgradeListener>();
  private stockListener: UpgradeListener | undefined;
  private knownMetrics: NotificationMetrics | undefined;
  private handlers: BoundHandlers | undefined;

  /** @param app the application, or whatever else finds its providers */
  constructor(private readonly app: Pick<INestApplicationContext, 'get'>) {
    super(app);
  }

  override create(port: number, options: Record<string, unknown> = {}): ReturnType<WsAdapter['create']> {
    // Nest makes the HTTP server after the module, and before its gateways.
    const { httpAdapter } = this.app.get(HttpAdapterHost, { strict: false });
    Object.assign(this, { httpServer: httpAdapter.getHttpServer() as Server });
    if (!options[NOTIFICATION_GATEWAY]) return super.create(port, options);
    const httpServer = this.httpServer as Server;
    const server = this.app.get(NotificationWebSocketServer, { strict: false });
    const onUpgrade: UpgradeListener = (request, socket, head) => {
      if (!wantsWebSocket(request) && httpServer.listenerCount('upgrade') === 1) serveAsPlain(httpServer, request, socket, head);
      else if (!server.serves(request) && this.stockListener) this.stockListener(request, socket, head);
      // An upgrade of a path that no listener serves is refused like any other handshake.
      else if (server.serves(request) || httpServer.listenerCount('upgrade') === 1) void server.upgrade(request, socket, head);
    };
    httpServer.on('upgrade', onUpgrade);
    this.upgradeListeners.set(server, onUpgrade);
    return server;
  }

  override bindClientConnect(server: NotificationWebSocketServer | StockServer, callback: (...args: unknown[]) => void): void {
    if (!(server instanceof NotificationWebSocketServer)) return super.bindClientConnect(server, callback);
    const handlers = new BoundHandlers(callback);
    this.handlers = handlers;
    server.handleWith((connection, text, turn) => this.handle(connection, handlers.of(connection), text, turn));
  }

  override bindClientDisconnect(client: Connection | StockClient, callback: () => void): void {
    // Nest is given a connection more than once (`BoundHandlers`), and the gateway has no `handleDisconnect`.
    if (!(client instanceof Connection)) super.bindClientDisconnect(client, callback);
  }

  override bindMessageHandlers(
    client: Connection | StockClient,
    handlers: WsMessageHandler[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    if (client instanceof Connection) this.handlers?.keep(client, handlers);
    else super.bindMessageHandlers(client, handlers as never, transform);
  }

  override async close(server: NotificationWebSocketServer | StockServer): Promise<void> {
    if (!(server instanceof NotificationWebSocketServer)) return super.close(server);
    const onUpgrade = this.upgradeListeners.get(server);
    this.upgradeListeners.delete(server);
    // Until the HTTP server is closed, a late upgrade is refused as `draining`. Without a listener it would get 404.
    const httpServer = this.httpServer as Server;
    if (onUpgrade) httpServer.once('close', () => httpServer.off('upgrade', onUpgrade));
  }

  /** The stock adapter cuts every upgrade that is not its own. Here it gets only those that are not ours. */
  protected override ensureHttpServerExists(port: number, httpServer?: Server): Server | undefined {
    const earlier = httpServer?.listeners('upgrade') ?? [];
    const server = super.ensureHttpServerExists(port, httpServer);
    const added = httpServer?.listeners('upgrade').find((listener) => !earlier.includes(listener)) as UpgradeListener | undefined;
    if (httpServer && added && httpServer === this.httpServer) {
      httpServer.off('upgrade', added);
      this.stockListener = added;
    }
    return server;
  }

  /** The providers exist when the first frame comes, and not yet when the adapter is made. */
  private get metrics(): NotificationMetrics {
    return (this.knownMetrics ??= this.app.get<NotificationMetrics>(NotificationMetrics, { strict: false }));
  }

  private async handle(connection: Connection, handlers: Handlers, text: string, { earlier }: Turn): Promise<void> {
    let repliesBefore = connection.replies;
    let frame: ClientMessage | undefined;
    try {
      frame = decodeFrame(text);
      const { action, request_id: requestId } = frame;
      this.metrics.actions.add(action);
      const handler = handlers.get(action);
      // An unauthenticated client does not learn which actions exist.
      if (!handler) assertAllowed(connection.identity, 'ws.ping');
      if (!handler) throw new NotificationError('UNKNOWN_ACTION', `Unknown action: ${action}`);
      if (earlier) {
        if (!OVERLAPPING.has(action)) await earlier;
        connection.incoming.beginBeside(frame, earlier);
        // Before the reply of a filter, which waits for the same promise.
        void earlier.then(() => (repliesBefore = connection.replies));
      }
      const result: unknown = await handler.callback(frame, action);
      if (earlier) await earlier;
      const original = { frame, text };
      if (isObservable(result)) await result.forEach((reply) => send(connection, reply, requestId, original));
      else send(connection, result, requestId, original);
      if (connection.replies === repliesBefore) throw new Error(`the handler of ${action} answered nothing`);
    } catch (error) {
      if (earlier) await earlier;
      if (!frame) this.metrics.actions.add(UNREADABLE);
      if (isFault(error)) this.log.error(error);
      const reply = errorMessage(error, frame?.request_id ?? (error instanceof DecodeError ? error.requestId : undefined));
      connection.reply(reply);
      if (isStrike(connection, reply.code)) connection.strike();
    }
  }
}

/** A reply that repeats the frame repeats its text: a number in it may have more digits than a double can hold. */
function send(
  connection: Connection,
  reply: unknown,
  requestId: RequestId | undefined,
  original: { frame: ClientMessage; text: string },
): void {
  if (!isObject(reply)) return;
  // Not `{ ...x, y }`: Node 20 makes a hidden class for each object that begins with a spread and has further properties.
  const message: Record<string, unknown> = Object.assign({}, reply, { request_id: requestId });
  if (message['original_data'] !== original.frame) return connection.reply(message);
  message['original_data'] = undefined;
  connection.reply(`${JSON.stringify(message).slice(0, -1)},"original_data":${original.text}}`, 'pong');
}

function wantsWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.trim().toLowerCase() === 'websocket';
}

/** Headers that ask for another protocol. */
const UPGRADE_HEADERS = ['upgrade', 'http2-settings'];

/**
 * Gives a request that asks for another protocol (some HTTP clients ask for h2c with every request) back to the HTTP
 * server without those headers, which a server may ignore. It is read again as a plain request.
 */
function serveAsPlain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index);
    const lower = name.toLowerCase();
    if (UPGRADE_HEADERS.includes(lower)) continue;
    lines.push(`${name}: ${lower === 'connection' ? withoutUpgrade(value) : value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

function withoutUpgrade(connection: string): string {
  const kept = connection.split(',').filter((token) => !UPGRADE_HEADERS.includes(token.trim().toLowerCase()));
  return kept.length === 0 ? 'keep-alive' : kept.join(',');
}
