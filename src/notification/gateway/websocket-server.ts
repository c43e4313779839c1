/**
 * Takes WebSockets in: from an HTTP upgrade to a `Connection` in the hub.
 *
 *  1. A handshake is checked before the 101 (`handshake.ts`). No frame is read before that: what the client sends early
 *     waits in the socket.
 *  2. The subprotocol that carries a token is never echoed.
 *  3. A connection over a limit is accepted and closed with 1013, so that old clients understand.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { WebSocketServer, type Server } from 'ws';
import { actorOf } from '../access/access.js';
import type { Place } from '../access/worker-group.js';
import { ListeningAddress } from '../access/listening-address.js';
import { CLOSE } from '../../protocol/codes.js';
import type { Connection, Identity } from '../connection/connection.js';
import type { FrameHandler } from '../connection/incoming.js';
import type { RefusedBecause } from '../metrics/labels.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { Authentication } from './authentication.js';
import { Client, ClientServices } from './client.js';
import { ClientSocket } from './client-socket.js';
import { ANSWER_ROOM } from './frame-size.js';
import { Handshake, ignoreReset, Refusal, refusalOf, refuse } from './handshake.js';
import { followConnection, followRequests } from './intake.js';
import { SocketWriter } from './socket-writer.js';
import { setImmediate } from '../pacing/time-source.js';
import { LogLine } from '../tracing/log-line.js';

export const SUBPROTOCOL = 'notification.v1';

/** Without context takeover one deflated frame serves every receiver. */
const SHARED_DEFLATE = { serverNoContextTakeover: true, clientNoContextTakeover: true };

@Injectable()
export class NotificationWebSocketServer implements OnModuleInit {
  private readonly writer = new SocketWriter();
  private readonly keepsRequests: boolean;
  private readonly server: Server<typeof ClientSocket>;
  private handler: FrameHandler<Connection> | undefined;

  constructor(
    @Inject(ResolvedOptions) options: ResolvedOptions,
    private readonly handshake: Handshake,
    private readonly authentication: Authentication,
    private readonly clients: ClientServices,
    private readonly listening: ListeningAddress,
  ) {
    const { authenticator, maxPayload, compression, subprotocols } = options;
    this.keepsRequests = authenticator !== undefined && authenticator.readsRequest !== false;
    this.server = new WebSocketServer({
      noServer: true,
      WebSocket: ClientSocket,
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
    if (server) followRequests(this.clients.reading, server);
  }

  /** Sets what handles every connection's frames. */
  handleWith(handler: FrameHandler<Connection>): void {
    this.handler = handler;
  }

  /** Whether a request's path is the WebSocket endpoint's. */
  serves(request: IncomingMessage): boolean {
    return this.handshake.serves(request);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignoreReset);
    const upgraded: ClientSocket[] = [];
    let place: Place | undefined;
    try {
      const identity = await this.handshake.check(request);
      place = await this.clients.places.reserve(identity.kind !== 'unauthenticated');
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
        this.clients.logger.error(`handshake failed: ${String(error)}`);
      const refusal = refusalOf(error);
      this.countRefused(refusal.code.toLowerCase() as RefusedBecause);
      this.auditRefused(this.clients.addresses.of(request), null, refusal.message, refusal.status);
      refuse(socket, refusal);
    } finally {
      if (upgraded.length === 0) place?.release();
    }
  }

  /** Counts a handshake that was refused. */
  countRefused(reason: RefusedBecause): void {
    const { metrics } = this.clients;
    metrics.connectionsFailed.inc();
    metrics.handshakesRefused.add(reason);
  }

  private accept(ws: ClientSocket, stream: Duplex, request: IncomingMessage, identity: Identity, place: Place | undefined): void {
    const { addresses, hub, logger, metrics, places, reading } = this.clients;
    const address = addresses.of(request);
    if (!place || !addresses.enter(address)) {
      ws.on('error', (error) => logger.debug(`socket error: ${error.message}`));
      this.countRefused(place ? 'address_limit' : 'connection_limit');
      place?.release();
      const { code, reason } = CLOSE.CONNECTION_LIMIT;
      this.auditRefused(address, identity, reason, code);
      ws.end(code, reason);
      return;
    }
    const peer = {
      identity,
      address,
      compress: ws.extensions.includes('permessage-deflate'),
      ...(this.keepsRequests && { request }),
    };
    const client = new Client(ws, peer, this.clients);
    const { connection } = client;
    ws.serve(stream, this.writer, client);
    followConnection(reading, ws, stream, connection);
    metrics.connectionsTotal.inc();
    logger.debug(new LogLine(`connection ${connection.id} from ${address} opened`, { connection: connection.id }));
    hub.add(connection);
    places.hold(connection, identity.kind !== 'unauthenticated', place, this.giveWay);
    if (this.handler) connection.incoming.handleWith(this.handler);
    void this.authentication.begin(connection);
  }

  private readonly giveWay = (connection: Connection): void => {
    this.clients.hub.remove(connection);
    connection.cut(CLOSE.UNAUTHENTICATED, true);
  };

  private auditRefused(address: string, identity: Identity | null, what: string, code: number): void {
    const by = identity && actorOf(identity);
    this.clients.audit.record({ event: 'refused', by, means: 'handshake', address, what, code: String(code) });
  }
}

/** `ws` takes `setImmediate` at each frame. Where a test has replaced it, no frame would be read: each is then read at once. */
const areTimersFaked = (): boolean => globalThis.setImmediate !== setImmediate;

/** A client that wants a smaller deflate window could not read the frames that all share: it gets none compressed. */
function declineSmallWindow(request: IncomingMessage): void {
  const { headers } = request;
  if (/server_max_window_bits\s*=/.test(headers['sec-websocket-extensions'] ?? '')) delete headers['sec-websocket-extensions'];
}
