/**
 * Where WebSockets come in: from an HTTP upgrade to a `Connection` in the hub.
 *
 *  1. Path, draining, origin of the token: everything is decided before the 101, as an HTTP answer.
 *  2. No frame is read before the authenticator has said yes; what the client sends early waits in the socket.
 *  3. The subprotocol that carries a token is never echoed.
 *  4. Whoever sends faster than the limit is told so, and closed if that does not help.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { WebSocketServer, type WebSocket } from 'ws';
import { CLOSE } from '../../protocol/codes.js';
import { Connection, type ConnectionSocket, type Identity } from '../connection/connection.js';
import type { Hub } from '../connection/hub.js';
import { Liveness } from '../connection/liveness.js';
import type { TimerWheel } from '../connection/timer-wheel.js';
import { TokenBucket } from '../connection/token-bucket.js';
import type { NotificationMetrics } from '../metrics.js';
import { NotificationError } from '../notification.errors.js';
import type { ResolvedOptions } from '../notification.options.js';
import { errorFrame } from './error-frame.js';

export const SUBPROTOCOL = 'notification.v1';
const TOKEN_PROTOCOL_PREFIX = 'bearer.';
/** How long a peer has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** Without context takeover one deflated frame serves every receiver. */
const SHARED_DEFLATE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** What the endpoint needs of the module. */
export interface EndpointContext {
  options: ResolvedOptions;
  hub: Hub;
  wheel: TimerWheel;
  metrics: NotificationMetrics;
  /** Whether new connections are taken. */
  accepting(): boolean;
}

type Listener = (connection: Connection, request: IncomingMessage) => void;

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export class Endpoint {
  private readonly logger = new Logger('Endpoint');
  private server: WebSocketServer | undefined;
  private context: EndpointContext | undefined;
  private onConnection: Listener | undefined;

  /** Called by the gateway once the module stands. */
  open(context: EndpointContext): void {
    const { maxPayload, compression } = context.options;
    this.context = context;
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      perMessageDeflate: compression && SHARED_DEFLATE,
    });
  }

  /** Nest's `bindClientConnect`. */
  listen(onConnection: Listener): void {
    this.onConnection = onConnection;
  }

  /** Whether a request's path is this endpoint's. */
  serves(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return this.context?.options.paths.some((own) => path === own || path === `${own === '/' ? '' : own}/`) ?? false;
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignoreReset);
    try {
      const identity = await this.admit(request);
      if (socket.destroyed) return;
      const { server, context } = this.ready();
      // Draining may have begun while the token was checked: who comes now would be sent away by nobody.
      if (!context.accepting()) throw new Refusal(503, 'draining', { 'Retry-After': '1' });
      declineSmallWindow(request);
      server.handleUpgrade(request, socket, head, (ws) => {
        socket.off('error', ignoreReset);
        this.accept(ws, socket, request, identity);
      });
    } catch (error) {
      this.context?.metrics.connectionsFailed.inc();
      if (!(error instanceof Refusal)) this.logger.error(`handshake failed: ${String(error)}`);
      refuse(socket, error instanceof Refusal ? error : new Refusal(500, 'Internal Server Error'));
    }
  }

  private ready(): { server: WebSocketServer; context: EndpointContext } {
    if (!this.server || !this.context) throw new Refusal(503, 'starting', { 'Retry-After': '1' });
    return { server: this.server, context: this.context };
  }

  private async admit(request: IncomingMessage): Promise<Identity> {
    const { context } = this.ready();
    if (!context.accepting()) throw new Refusal(503, 'draining', { 'Retry-After': '1' });
    const { authenticator } = context.options;
    if (!authenticator) return { kind: 'anonymous' };
    const token = tokenOf(request);
    if (token === undefined) return { kind: 'unauthenticated' };
    const user = await authenticator.authenticate(token, request);
    if (!user) throw new Refusal(401, 'invalid token', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    return { kind: 'user', ...user };
  }

  private accept(ws: WebSocket, socket: Duplex, request: IncomingMessage, identity: Identity): void {
    const { context } = this.ready();
    const { hub, metrics, options, wheel } = context;
    ws.on('error', (error) => this.logger.debug(`socket error: ${error.message}`));
    if (hub.size >= options.maxConnections) {
      metrics.connectionsFailed.inc();
      closeWithin(ws, CLOSE.CONNECTION_LIMIT.code, CLOSE.CONNECTION_LIMIT.reason);
      return;
    }
    const connection = new Connection(
      socketOf(ws, socket),
      { identity, address: request.socket.remoteAddress ?? '', compress: ws.extensions.includes('permessage-deflate') },
      options,
      {
        onOverflow: (slow) => {
          metrics.messagesFailed.inc();
          slow.cut(CLOSE.SLOW);
        },
        onSourceError: (failed, error) => {
          this.logger.error(`redelivery to connection ${failed.id} failed: ${String(error)}`);
          void failed.close(CLOSE.INTERNAL);
        },
      },
    );
    const liveness = new Liveness(connection, wheel, options, (dead) => dead.terminate());
    const limiter = new Limiter(connection, options);
    ws.on('message', (data: Buffer) => {
      metrics.framesReceived.inc();
      if (limiter.admits()) connection.receive(data.toString());
    });
    ws.on('ping', () => limiter.admits());
    ws.on('pong', () => liveness.pong());
    ws.on('close', (code) => {
      liveness.stop();
      metrics.closes.inc({ code });
      hub.remove(connection);
      connection.closed();
    });
    metrics.connectionsTotal.inc();
    hub.add(connection);
    this.onConnection?.(connection, request);
  }
}

/** Counts a connection's frames; over the limit it is told so, and closed when it goes on for as long as the limit allows a second. */
class Limiter {
  private readonly bucket: TokenBucket;
  private refused = 0;

  constructor(
    private readonly connection: Connection,
    private readonly options: ResolvedOptions,
  ) {
    this.bucket = new TokenBucket(options.rateLimit, options.rateBurst);
  }

  admits(): boolean {
    if (this.bucket.take()) {
      this.refused = 0;
      return true;
    }
    this.refused += 1;
    if (this.refused <= this.options.rateLimit)
      this.connection.reply(errorFrame(new NotificationError('RATE_LIMITED', 'too many frames')));
    else void this.connection.close(CLOSE.RATE_LIMITED);
    return false;
  }
}

/** A client that wants a smaller deflate window could not read the frames that all share: it gets none compressed. */
function declineSmallWindow(request: IncomingMessage): void {
  const { headers } = request;
  if (/server_max_window_bits\s*=/.test(headers['sec-websocket-extensions'] ?? '')) delete headers['sec-websocket-extensions'];
}

/** The path alone; a request target that is no path at all matches nothing. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** Refuses an upgrade with an HTTP answer. */
export function refuse(
  socket: Duplex,
  { status, message, headers }: { status: number; message: string; headers?: Record<string, string> },
): void {
  if (socket.destroyed) return;
  socket.on('error', ignoreReset);
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain',
    'Content-Length': String(Buffer.byteLength(message)),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${message}`);
  socket.once('finish', () => socket.destroy());
}

/** Node hands an upgrade's socket over without a listener: a peer's reset would end the process. `destroyed` tells of it. */
function ignoreReset(): void {
  return;
}

function tokenOf(request: IncomingMessage): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header !== undefined) return header;
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  return offered.find((protocol) => protocol.startsWith(TOKEN_PROTOCOL_PREFIX))?.slice(TOKEN_PROTOCOL_PREFIX.length);
}

/** What a connection sees of a WebSocket: ready-made frames go to the socket beneath it. */
function socketOf(ws: WebSocket, socket: Duplex): ConnectionSocket {
  (socket as Socket).setNoDelay?.(true);
  return {
    write: (bytes, written) => socket.write(bytes, written),
    close: (code, reason) => closeWithin(ws, code, reason),
    ping: () => ws.ping(),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    terminate: () => ws.terminate(),
  };
}

function closeWithin(ws: WebSocket, code: number, reason: string): void {
  if (ws.readyState === ws.CLOSED) return;
  ws.resume(); // A paused socket would never show the peer's close frame.
  ws.close(code, reason);
  const timer = setTimeout(() => ws.terminate(), CLOSE_TIMEOUT_MS).unref();
  ws.once('close', () => clearTimeout(timer));
}
