/**
 * The client of one connection: its frames are counted, limited and handed to the connection, its pings and pongs to the
 * rate limiter and the liveness check. What the connection reports is counted and logged here.
 */
import { isUtf8 } from 'node:buffer';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CLOSE } from '../../protocol/codes.js';
import { Addresses, networkOf } from '../access/address-limits.js';
import { AuditTrail } from '../access/audit.js';
import { Budgets } from '../access/budgets.js';
import { Connection, type ConnectionEvents, type ConnectionSocket } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import { Liveness } from '../connection/liveness.js';
import type { Peer } from '../connection/peer.js';
import { Reading } from '../connection/reading.js';
import { Pacing } from '../pacing/pacing.js';
import { QuietLog } from '../pacing/quiet-log.js';
import { TimerWheel } from '../pacing/timer-wheel.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';
import { Identities } from '../subscription/identities.js';
import { auditActorOf } from './audit-actor.js';
import { isLargeAnswer } from './frame-size.js';
import { Places } from './places.js';
import { RateLimiter } from './rate-limiter.js';
import { LogLine } from '../tracing/log-line.js';

/** Errors of clients that an operator wants to know of. */
const LOGGED_ERRORS: ReadonlySet<string> = new Set(['INVALID_JSON', 'NOT_FOUND']);

/** What becomes of what a WebSocket emits. */
export interface SocketListener {
  onMessage(data: Buffer): void;
  onPing(): void;
  onPong(): void;
  onClosed(code: number): void;
  onError(error: Error): void;
}

/** What all clients of a server share. */
@Injectable()
export class ClientServices {
  readonly logger = new Logger('WebSocketServer');
  readonly errors = new QuietLog((message) => this.logger.warn(message));

  constructor(
    @Inject(ResolvedOptions) readonly options: ResolvedOptions,
    readonly addresses: Addresses,
    readonly audit: AuditTrail,
    readonly budgets: Budgets,
    readonly hub: Hub,
    readonly identities: Identities,
    readonly metrics: NotificationMetrics,
    readonly pacing: Pacing,
    readonly places: Places,
    readonly reading: Reading,
    readonly wheel: TimerWheel,
  ) {}

  /** A frame was refused because of the rate limit. */
  readonly onRefused = (connection: Connection): void => {
    this.metrics.errors.inc({ code: 'RATE_LIMITED' });
    this.audit.record({ event: 'refused', ...auditActorOf(connection), what: 'ws.frame', code: 'RATE_LIMITED' });
  };
}

export class Client implements ConnectionEvents, SocketListener {
  readonly connection: Connection;
  private readonly liveness: Liveness;
  /** Made at the first frame: most clients only listen. */
  private limiter: RateLimiter | undefined;

  constructor(
    socket: ConnectionSocket,
    peer: Peer,
    private readonly services: ClientServices,
  ) {
    const { options, pacing, wheel } = services;
    this.connection = new Connection(socket, peer, options, this, pacing);
    this.liveness = new Liveness(this.connection, wheel, options, terminate);
  }

  onMessage(data: Buffer): void {
    const { connection } = this;
    const { metrics, options } = this.services;
    metrics.framesReceived.inc();
    metrics.receivedBytes.inc(data.length);
    const text = textOf(data);
    if (!this.limits.admits(text)) return;
    const isLarge = data.length > options.maxPayload;
    if (isLarge && !isLargeAnswer(connection, text)) void connection.close(CLOSE.TOO_LARGE, true);
    else connection.incoming.receive(text, isLarge);
  }

  onPing(): void {
    this.limits.admits();
  }

  onPong(): void {
    const { connection } = this;
    if (!this.liveness.pong()) return void this.limits.admits();
    this.services.metrics.roundTripTime.observe((connection.roundTrips.lastMs ?? 0) / 1000);
    this.services.identities.describe(connection);
  }

  onClosed(code: number): void {
    const { connection } = this;
    const { addresses, hub, logger, metrics, places } = this.services;
    logger.debug(
      new LogLine(`connection ${connection.id} from ${connection.address} closed with ${code}`, { connection: connection.id }),
    );
    addresses.leave(connection.address);
    metrics.closes.add(String(code));
    places.leave(connection);
    hub.remove(connection);
    this.liveness.stop();
    connection.closed();
  }

  onError(error: Error): void {
    this.services.logger.debug(`socket error: ${error.message}`);
  }

  onOverflow(): void {
    this.services.metrics.slowCloses.inc();
    this.connection.cut(CLOSE.SLOW);
  }

  onSent(type: string, bytes: number): void {
    this.services.metrics.sent(type, bytes);
  }

  onSourceError(error: unknown): void {
    const { id } = this.connection;
    this.services.logger.error(new LogLine(`redelivery to connection ${id} failed: ${String(error)}`, { connection: id }));
    void this.connection.close(CLOSE.INTERNAL);
  }

  onCharge(frames: number): void {
    this.limits.charge(frames);
  }

  onResumed(): void {
    this.liveness.resumed();
  }

  onDropped(frames: number): void {
    this.services.metrics.messagesFailed.inc(frames);
  }

  onErrorReply(code: string): void {
    const { address } = this.connection;
    const { errors, metrics } = this.services;
    metrics.errors.inc({ code });
    if (!LOGGED_ERRORS.has(code)) return;
    const from = (count: number): string => `${count} ${count === 1 ? 'frame' : 'frames'} from ${address} answered with ${code}`;
    errors.log(`${networkOf(address)} ${code}`, from);
  }

  private get limits(): RateLimiter {
    const { budgets, onRefused, options } = this.services;
    return (this.limiter ??= new RateLimiter(this.connection, options, onRefused, budgets));
  }
}

const terminate = (connection: Connection): void => connection.terminate();

/** Bytes that are not UTF-8, which only a binary frame can hold, become a lone surrogate: the decoder refuses it. */
function textOf(data: Buffer): string {
  return isUtf8(data) ? data.toString() : data.toString().replaceAll('\ufffd', '\udfff');
}
