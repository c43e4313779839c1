/**
 * Takes WebSockets in: from an HTTP upgrade to a `Connection` in the hub.
 *
 *  1. A handshake is checked before the 101 (`handshake.ts`). No frame is read before that: what the client sends early
 *     waits in the socket.
 *  2. The subprotocol that carries a token is never echoed.
 *  3. A connection over a limit is accepted and closed with 1013, so that old clients understand.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { WebSocketServer, type WebSocket } from 'ws';
import { actorOf } from '../access/access.js';
import { Addresses, networkOf } from '../access/address-limits.js';
import { AuditTrail } from '../access/audit.js';
import { Budgets } from '../access/budgets.js';
import type { Place } from '../access/worker-group.js';
import { ListeningAddress } from '../access/listening-address.js';
import { CLOSE } from '../../protocol/codes.js';
import { Connection, type ConnectionEvents, type ConnectionSocket, type Identity } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import type { SendSocket } from '../connection/send-queue.js';
import { Liveness } from '../connection/liveness.js';
import { Reading } from '../connection/reading.js';
import { Pacing } from '../pacing/pacing.js';
import { QuietLog } from '../pacing/quiet-log.js';
import { TimerWheel } from '../pacing/timer-wheel.js';
import type { RefusedBecause } from '../metrics/labels.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { Identities } from '../subscription/identities.js';
import { auditActorOf } from './audit-actor.js';
import { ANSWER_ROOM, isLargeAnswer } from './frame-size.js';
import { Handshake, ignoreReset, Refusal, refusalOf, refuse } from './handshake.js';
import { followConnection, followRequests } from './intake.js';
import { Places } from './places.js';
import { RateLimiter } from './rate-limiter.js';
import { SocketWriter } from './socket-writer.js';
import { clearTimeout, setImmediate, setTimeout } from '../pacing/time-source.js';

export const SUBPROTOCOL = 'notification.v1';
/** How long a peer has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** Without context takeover one deflated frame serves every receiver. */
const SHARED_DEFLATE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** Errors of clients that an operator wants to know of. */
const LOGGED_ERRORS: ReadonlySet<string> = new Set(['INVALID_JSON', 'NOT_FOUND']);

@Injectable()
export class NotificationWebSocketServer implements OnModuleInit {
  private readonly logger = new Logger('WebSocketServer');
  private readonly clientErrors = new QuietLog((message) => this.logger.warn(message));
  private readonly writer = new SocketWriter();
  private readonly server: WebSocketServer;
  private onConnection: ((connection: Connection) => void) | undefined;

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly handshake: Handshake,
    private readonly hub: Hub,
    private readonly addresses: Addresses,
    private readonly audit: AuditTrail,
    private readonly budgets: Budgets,
    private readonly identities: Identities,
    private readonly listening: ListeningAddress,
    private readonly metrics: NotificationMetrics,
    private readonly pacing: Pacing,
    private readonly places: Places,
    private readonly reading: Reading,
    private readonly wheel: TimerWheel,
  ) {
    const { maxPayload, compression, subprotocols } = options;
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // One frame of each connection a turn: a segment full of tiny frames must not keep the other connections waiting.
      allowSynchronousEvents: false,
      maxPayload: maxPayload + ANSWER_ROOM,
      handleProtocols: (offered) => [SUBPROTOCOL, ...subprotocols].find((name) => offered.has(name)) ?? false,
      perMessageDeflate: compression && SHARED_DEFLATE,
    });
  }

  onModuleInit(): void {
    const { server } = this.listening;
    if (server) followRequests(this.reading, server);
  }

  /** Nest's `bindClientConnect`. */
  onConnect(listener: (connection: Connection) => void): void {
    this.onConnection = listener;
  }

  /** Whether a request's path is the WebSocket endpoint's. */
  serves(request: IncomingMessage): boolean {
    return this.handshake.serves(request);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignoreReset);
    const upgraded: WebSocket[] = [];
    let place: Place | undefined;
    try {
      const identity = await this.handshake.check(request);
      place = await this.places.reserve(identity.kind !== 'unauthenticated');
      if (socket.destroyed) return;
      this.handshake.assertAccepting();
      declineSmallWindow(request);
      this.server.options.allowSynchronousEvents = areTimersFaked();
      this.server.handleUpgrade(request, socket, head, (ws) => {
        upgraded.push(ws);
        socket.off('error', ignoreReset);
        this.accept(ws, socket, request, identity, place);
      });
      // `ws` itself answers a handshake that is not well-formed.
      if (upgraded.length === 0) this.countRefused('malformed');
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof NotificationError))
        this.logger.error(`handshake failed: ${String(error)}`);
      const refusal = refusalOf(error);
      this.countRefused(refusal.code.toLowerCase() as RefusedBecause);
      this.auditRefused(this.addresses.of(request), null, refusal.message, refusal.status);
      refuse(socket, refusal);
    } finally {
      if (upgraded.length === 0) place?.release();
    }
  }

  /** Counts a handshake that was refused. */
  countRefused(reason: RefusedBecause): void {
    this.metrics.connectionsFailed.inc();
    this.metrics.handshakesRefused.add(reason);
  }

  private accept(ws: WebSocket, socket: Duplex, request: IncomingMessage, identity: Identity, place: Place | undefined): void {
    const address = this.addresses.of(request);
    ws.on('error', (error) => this.logger.debug(`socket error: ${error.message}`));
    if (!place || !this.addresses.enter(address)) {
      this.countRefused(place ? 'address_limit' : 'connection_limit');
      place?.release();
      const { code, reason } = CLOSE.CONNECTION_LIMIT;
      this.auditRefused(address, identity, reason, code);
      closeWithin(ws, code, reason);
      return;
    }
    const connection = this.connect(ws, socket, request, identity);
    ws.on('close', (code) => {
      this.logger.debug(`connection ${connection.id} from ${address} closed with ${code}`);
      this.addresses.leave(address);
      this.metrics.closes.add(String(code));
      this.places.leave(connection);
      this.hub.remove(connection);
      connection.closed();
    });
    this.metrics.connectionsTotal.inc();
    this.logger.debug(`connection ${connection.id} from ${address} opened`);
    this.hub.add(connection);
    this.places.hold(connection, identity.kind !== 'unauthenticated', place, () => {
      this.hub.remove(connection);
      connection.cut(CLOSE.UNAUTHENTICATED, true);
    });
    this.onConnection?.(connection);
  }

  /** Ties a connection to its socket: frames through the rate limiter, pings and pongs to its liveness. */
  private connect(ws: WebSocket, socket: Duplex, request: IncomingMessage, identity: Identity): Connection {
    const { metrics, options } = this;
    const peer = {
      identity,
      address: this.addresses.of(request),
      compress: ws.extensions.includes('permessage-deflate'),
      ...(options.authenticator && { request }),
    };
    const events: ConnectionEvents = {
      onOverflow: () => {
        metrics.slowCloses.inc();
        connection.cut(CLOSE.SLOW);
      },
      onSent: metrics.sent,
      onSourceError: (error) => {
        this.logger.error(`redelivery to connection ${connection.id} failed: ${String(error)}`);
        void connection.close(CLOSE.INTERNAL);
      },
      onCharge: (frames) => limiter.charge(frames),
      onResumed: () => liveness.resumed(),
      onDropped: (frames) => metrics.messagesFailed.inc(frames),
      onError: (code) => {
        metrics.errors.inc({ code });
        if (!LOGGED_ERRORS.has(code)) return;
        const from = (count: number): string =>
          `${count} ${count === 1 ? 'frame' : 'frames'} from ${connection.address} answered with ${code}`;
        this.clientErrors.log(`${networkOf(connection.address)} ${code}`, from);
      },
    };
    const connection = new Connection(socketOf(ws, socket, this.writer.writeTo(socket)), peer, options, events, this.pacing);
    followConnection(this.reading, ws, socket, connection);
    const liveness = new Liveness(connection, this.wheel, options, (dead) => dead.terminate());
    connection.onClosed(() => liveness.stop());
    const onRefused = (): void => {
      metrics.errors.inc({ code: 'RATE_LIMITED' });
      this.audit.record({ event: 'refused', ...auditActorOf(connection), what: 'ws.frame', code: 'RATE_LIMITED' });
    };
    const limiter = new RateLimiter(connection, options, onRefused, this.budgets);
    ws.on('message', (data: Buffer) => {
      metrics.framesReceived.inc();
      metrics.receivedBytes.inc(data.length);
      const text = textOf(data);
      if (!limiter.admits(text)) return;
      const isLarge = data.length > options.maxPayload;
      if (isLarge && !isLargeAnswer(connection, text)) void connection.close(CLOSE.TOO_LARGE, true);
      else connection.receive(text, isLarge);
    });
    ws.on('ping', () => limiter.admits());
    ws.on('pong', () => {
      if (!liveness.pong()) return void limiter.admits();
      metrics.roundTripTime.observe((connection.roundTrips.lastMs ?? 0) / 1000);
      this.identities.describe(connection);
    });
    return connection;
  }

  private auditRefused(address: string, identity: Identity | null, what: string, code: number): void {
    const by = identity && actorOf(identity);
    this.audit.record({ event: 'refused', by, means: 'handshake', address, what, code: String(code) });
  }
}

/** Bytes that are not UTF-8, which only a binary frame can hold, become a lone surrogate: the decoder refuses it. */
function textOf(data: Buffer): string {
  return isUtf8(data) ? data.toString() : data.toString().replaceAll('\ufffd', '\udfff');
}

/** `ws` takes `setImmediate` at each frame. Where a test has replaced it, no frame would be read: each is then read at once. */
const areTimersFaked = (): boolean => globalThis.setImmediate !== setImmediate;

/** A client that wants a smaller deflate window could not read the frames that all share: it gets none compressed. */
function declineSmallWindow(request: IncomingMessage): void {
  const { headers } = request;
  if (/server_max_window_bits\s*=/.test(headers['sec-websocket-extensions'] ?? '')) delete headers['sec-websocket-extensions'];
}

/** What a connection sees of a WebSocket: ready-made frames go to the socket beneath it. */
function socketOf(ws: WebSocket, socket: Duplex, write: SendSocket['write']): ConnectionSocket {
  if (socket instanceof Socket) socket.setNoDelay(true);
  return {
    write,
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
