/**
 * Where WebSockets come in: from an HTTP upgrade to a `Connection` in the hub.
 *
 *  1. Whether it comes in is decided before the 101 (`handshake.ts`). No frame is read before: what the client sends
 *     early waits in the socket.
 *  2. The subprotocol that carries a token is never echoed.
 *  3. A connection over a limit is accepted and closed with 1013, so that old clients understand.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { WebSocketServer, type WebSocket } from 'ws';
import { actorOf } from '../access/access.js';
import type { Budgets } from '../access/budgets.js';
import type { AuditTrail } from '../access/audit.js';
import { Refusals } from '../access/refusals.js';
import { CLOSE } from '../../protocol/codes.js';
import { Connection, type ConnectionSocket, type Identity } from '../connection/connection.js';
import type { Hub } from '../connection/hub.js';
import { Liveness } from '../connection/liveness.js';
import type { Reading } from '../connection/reading.js';
import type { TimerWheel } from '../pacing/timer-wheel.js';
import type { NotificationMetrics } from '../notification.metrics.js';
import { NotificationError } from '../notification.errors.js';
import type { Place } from '../access/worker-group.js';
import { checkHandshake, ignoreReset, isWebSocketPath, Refusal, refusalOf, refuse, type HandshakeContext } from './handshake.js';
import { followConnection, followRequests } from './intake.js';
import type { Places } from './places.js';
import { RateLimiter } from './rate-limiter.js';
import { auditActorOf } from './audit-actor.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';

export const SUBPROTOCOL = 'notification.v1';
/** How long a peer has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** Without context takeover one deflated frame serves every receiver. */
const SHARED_DEFLATE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** What the endpoint needs of the module. */
export interface ServerContext extends HandshakeContext {
  hub: Hub;
  wheel: TimerWheel;
  metrics: NotificationMetrics;
  audit: AuditTrail;
  reading: Reading;
  budgets: Budgets;
  places: Places;
  /** The connection's round-trip time was measured. */
  onMeasured: (connection: Connection) => void;
}

/** Errors of clients that an operator wants to know of. */
const LOGGED_ERRORS: ReadonlySet<string> = new Set(['INVALID_JSON', 'NOT_FOUND']);

type Listener = (connection: Connection, request: IncomingMessage) => void;

export class NotificationWebSocketServer {
  private readonly logger = new Logger('WebSocketServer');
  /** Repeated errors of clients are one line a minute. */
  private readonly complaints = new Refusals(({ address, code, count }) =>
    this.logger.warn(`${count ?? 1} frame${count === undefined ? '' : 's'} from ${address ?? 'a client'} answered with ${code}`),
  );
  private server: WebSocketServer | undefined;
  private context: ServerContext | undefined;
  private onConnection: Listener | undefined;

  constructor(private readonly httpServer: Server) {}

  /** Whether requests and connections reach this node. */
  get isListening(): boolean {
    return this.httpServer.listening;
  }

  /** Called by the gateway once the module stands. */
  open(context: ServerContext): void {
    const { maxPayload, compression, subprotocols } = context.options;
    this.context = context;
    followRequests(context.reading, this.httpServer);
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // One frame of each connection a turn: a segment full of tiny frames must not keep everybody else waiting.
      allowSynchronousEvents: false,
      maxPayload,
      handleProtocols: (offered) => [SUBPROTOCOL, ...subprotocols].find((name) => offered.has(name)) ?? false,
      perMessageDeflate: compression && SHARED_DEFLATE,
    });
  }

  /** Nest's `bindClientConnect`. */
  listen(onConnection: Listener): void {
    this.onConnection = onConnection;
  }

  /** Whether a request's path is this endpoint's. */
  serves(request: IncomingMessage): boolean {
    return this.context !== undefined && isWebSocketPath(request, this.context.options);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignoreReset);
    let place: Place | undefined;
    const upgraded: WebSocket[] = [];
    try {
      const { server, context } = this.ready();
      const identity = await checkHandshake(request, context);
      place = await context.places.reserve(identity.kind !== 'unauthenticated');
      if (socket.destroyed) return;
      if (!context.accepting()) throw new Refusal('UNAVAILABLE', 'draining');
      declineSmallWindow(request);
      server.handleUpgrade(request, socket, head, (ws) => {
        upgraded.push(ws);
        socket.off('error', ignoreReset);
        this.accept(ws, socket, request, identity, place);
      });
      // `ws` itself answers a handshake that is not well-formed.
      if (upgraded.length === 0) this.countRefused();
    } catch (error) {
      this.countRefused();
      if (!(error instanceof Refusal) && !(error instanceof NotificationError))
        this.logger.error(`handshake failed: ${String(error)}`);
      const refusal = refusalOf(error);
      this.context?.audit.record({
        event: 'refused',
        by: null,
        means: 'handshake',
        address: this.context.addresses.of(request),
        what: refusal.message,
        code: String(refusal.status),
      });
      refuse(socket, refusal);
    } finally {
      if (upgraded.length === 0) place?.release();
    }
  }

  /** A handshake was refused. */
  countRefused(): void {
    this.context?.metrics.connectionsFailed.inc();
  }

  private ready(): { server: WebSocketServer; context: ServerContext } {
    if (!this.server || !this.context) throw new Refusal('UNAVAILABLE', 'starting');
    return { server: this.server, context: this.context };
  }

  private accept(ws: WebSocket, socket: Duplex, request: IncomingMessage, identity: Identity, place: Place | undefined): void {
    const { context } = this.ready();
    const { addresses, audit, budgets, hub, metrics, options, places, wheel } = context;
    const address = addresses.of(request);
    ws.on('error', (error) => this.logger.debug(`socket error: ${error.message}`));
    if (!place || !addresses.enter(address)) {
      place?.release();
      metrics.connectionsFailed.inc();
      const { code, reason } = CLOSE.CONNECTION_LIMIT;
      audit.record({ event: 'refused', by: actorOf(identity), means: 'handshake', address, what: reason, code: String(code) });
      closeWithin(ws, code, reason);
      return;
    }
    const connection = new Connection(
      socketOf(ws, socket),
      { identity, address, compress: ws.extensions.includes('permessage-deflate') },
      options,
      {
        onOverflow: (slow) => {
          slow.cut(CLOSE.SLOW);
        },
        onSourceError: (failed, error) => {
          this.logger.error(`redelivery to connection ${failed.id} failed: ${String(error)}`);
          void failed.close(CLOSE.INTERNAL);
        },
        onCharge: (frames) => limiter.charge(frames),
        onDropped: (frames) => metrics.messagesFailed.inc(frames),
        onError: (refused, code) => {
          metrics.errors.inc({ code });
          if (LOGGED_ERRORS.has(code)) this.complaints.add({ event: 'refused', ...auditActorOf(refused), what: 'a frame', code });
        },
      },
    );
    followConnection(context.reading, ws, socket, connection);
    const liveness = new Liveness(connection, wheel, options, (dead) => dead.terminate());
    const onRefused = (): void => {
      metrics.errors.inc({ code: 'RATE_LIMITED' });
      audit.record({ event: 'refused', ...auditActorOf(connection), what: 'ws.frame', code: 'RATE_LIMITED' });
    };
    const limiter = new RateLimiter(connection, options, onRefused, budgets);
    ws.on('message', (data: Buffer) => {
      metrics.framesReceived.inc();
      if (limiter.admits()) connection.receive(textOf(data));
    });
    ws.on('ping', () => limiter.admits());
    ws.on('pong', () => {
      if (liveness.pong()) context.onMeasured(connection);
      else limiter.admits();
    });
    ws.on('close', (code) => {
      liveness.stop();
      this.logger.debug(`connection ${connection.id} from ${address} closed with ${code}`);
      addresses.leave(address);
      metrics.closes.inc({ code });
      places.leave(connection);
      hub.remove(connection);
      connection.closed();
    });
    metrics.connectionsTotal.inc();
    this.logger.debug(`connection ${connection.id} from ${address} opened`);
    hub.add(connection);
    places.hold(connection, identity.kind !== 'unauthenticated', place, () => {
      hub.remove(connection);
      connection.cut(CLOSE.UNAUTHENTICATED, true);
    });
    this.onConnection?.(connection, request);
  }
}

/** Bytes that are no UTF-8, which only a binary frame can hold, become what is no Unicode either: the decoder refuses it. */
function textOf(data: Buffer): string {
  return isUtf8(data) ? data.toString() : data.toString().replaceAll('\ufffd', '\udfff');
}

/** A client that wants a smaller deflate window could not read the frames that all share: it gets none compressed. */
function declineSmallWindow(request: IncomingMessage): void {
  const { headers } = request;
  if (/server_max_window_bits\s*=/.test(headers['sec-websocket-extensions'] ?? '')) delete headers['sec-websocket-extensions'];
}

/** What a connection sees of a WebSocket: ready-made frames go to the socket beneath it. */
function socketOf(ws: WebSocket, socket: Duplex): ConnectionSocket {
  if (socket instanceof Socket) socket.setNoDelay(true);
  return {
    write(bytes, written) {
      socket.write(bytes, written);
      return socket.writableLength === 0;
    },
    close: (code, reason, deaf) => closeWithin(ws, code, reason, deaf),
    ping: () => ws.ping(),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    terminate: () => ws.terminate(),
  };
}

function closeWithin(ws: WebSocket, code: number, reason: string, deaf = false): void {
  if (ws.readyState === ws.CLOSED) return;
  if (!deaf) ws.resume(); // A paused socket would never show the peer's close frame.
  ws.close(code, reason);
  const timer = setTimeout(() => ws.terminate(), CLOSE_TIMEOUT_MS).unref();
  ws.once('close', () => clearTimeout(timer));
}
