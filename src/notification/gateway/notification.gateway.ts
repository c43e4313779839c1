/**
 * The actions of the protocol, as idiomatic Nest message handlers: pipes, guards, filters and interceptors that an app
 * adds work on them. What a handler returns is the reply.
 */
import type { IncomingMessage } from 'node:http';
import { Inject, Logger, UseFilters, UseGuards, type OnModuleInit } from '@nestjs/common';
import {
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import { Access } from '../access/access.js';
import { Addresses } from '../access/address-limits.js';
import { AuditTrail } from '../access/audit.js';
import { Budgets } from '../access/budgets.js';
import { Pages } from '../access/pages.js';
import { Tokens } from '../access/token-verifier.js';
import { BROADCAST_CHANNEL, channelOf, type ParsedChannel } from '../../protocol/channels.js';
import { CLOSE } from '../../protocol/codes.js';
import type { ClientMessage, Reply, StreamPosition, Subscribed } from '../../protocol/messages.js';
import { promptMessage } from '../confirmation/presentation.js';
import { toSeconds } from '../../protocol/time.js';
import { PAGE_BYTES, type Confirmation } from '../engine/engine.js';
import type { Connection, Deciding, Identity } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import { Reading } from '../connection/reading.js';
import { TimerWheel, type WheelTimer } from '../pacing/timer-wheel.js';
import { taskCancelledMessage } from '../dispatcher.js';
import { NotificationMetrics } from '../notification.metrics.js';
import {
  AlreadyResolvedError,
  ConfigurationError,
  EngineUnavailableError,
  InvalidMessageError,
  NotificationError,
} from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { NotificationService } from '../notification.service.js';
import { ActionGuard } from './guards/action.guard.js';
import { identityOf } from './handshake.js';
import { auditActorOf } from './audit-actor.js';
import { NotificationWebSocketServer } from './websocket-server.js';
import { AckDto } from './dto/ack.dto.js';
import { AuthenticateDto } from './dto/authenticate.dto.js';
import { CancelDto } from './dto/cancel.dto.js';
import { ConfirmDto } from './dto/confirm.dto.js';
import { PendingDto } from './dto/pending.dto.js';
import { SubscribeDto } from './dto/subscribe.dto.js';
import { CurrentConnection } from './decorators/current-connection.decorator.js';
import { Frame } from './decorators/frame.decorator.js';
import { Places } from './places.js';
import { Reviewer } from './reviewer.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { wantedBy, type Wanted } from './subscribe-targets.js';
import { NOTIFICATION_GATEWAY } from './notification-ws.adapter.js';
import { WsErrorFilter } from './filters/ws-error.filter.js';
import { Date, delay } from '../pacing/time-source.js';

const DEFAULT_PAGE = 100;
/** How many prompts of a page are read at once: the page takes no more once it has its bytes. */
const PENDING_ROWS = 20;
const WELCOME_WITHIN_MS = 2000;
const WELCOME_AGAIN_MS = 50;

@WebSocketGateway({ path: '/ws', [NOTIFICATION_GATEWAY]: true })
@UseGuards(ActionGuard)
@UseFilters(WsErrorFilter)
export class NotificationGateway
  implements
    OnModuleInit,
    OnGatewayInit<NotificationWebSocketServer>,
    OnGatewayConnection<Connection>,
    OnGatewayDisconnect<Connection>
{
  private readonly logger = new Logger(NotificationGateway.name);
  /** Secure mode: what closes a connection that does not authenticate in time, or whose token expires. */
  private readonly tokenDeadlines = new WeakMap<Connection, WheelTimer>();
  private readonly requests = new WeakMap<Connection, IncomingMessage>();
  private isForeignServer = false;

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly service: NotificationService,
    private readonly access: Access,
    private readonly addresses: Addresses,
    private readonly budgets: Budgets,
    private readonly pages: Pages,
    private readonly places: Places,
    private readonly tokens: Tokens,
    private readonly audit: AuditTrail,
    private readonly subscriptions: Subscriptions,
    private readonly reviewer: Reviewer,
    private readonly hub: Hub,
    private readonly wheel: TimerWheel,
    private readonly metrics: NotificationMetrics,
    private readonly reading: Reading,
  ) {}

  /** Nest swallows what is thrown here, so `onModuleInit` throws it. */
  afterInit(endpoint: unknown): void {
    this.isForeignServer = !(endpoint instanceof NotificationWebSocketServer);
    if (!(endpoint instanceof NotificationWebSocketServer)) return;
    const { addresses, audit, budgets, hub, metrics, options, pages, places, reading, tokens, wheel } = this;
    const accepting = (): boolean => this.service.accepting;
    const onMeasured = (connection: Connection): void => this.subscriptions.describe(connection);
    const parts = { addresses, audit, budgets, hub, metrics, options, pages, places, reading, tokens, wheel };
    endpoint.open({ ...parts, accepting, onMeasured });
    reading.serveWhile(() => accepting() && endpoint.isListening);
  }

  onModuleInit(): void {
    if (this.isForeignServer) {
      throw new ConfigurationError(
        'the notification gateway needs its adapter: app.useWebSocketAdapter(new NotificationWsAdapter(app)) before listen()',
      );
    }
  }

  handleConnection(connection: Connection, request: IncomingMessage): void {
    if (!this.options.authenticator) {
      void this.welcome(connection, () => this.subscriptions.begin(connection));
      return;
    }
    this.requests.set(connection, request);
    const { identity } = connection;
    if (identity.kind === 'unauthenticated') {
      this.closeUnauthenticatedIn(connection, this.options.authenticationTimeoutMs);
      return;
    }
    if (identity.kind !== 'user') return;
    // A token in the handshake: the connection is the user's, without a reply, as nobody asked.
    void this.welcome(connection, async () => {
      await this.subscriptions.becomeUser(connection, identity);
      connection.startFollowing();
      await this.watchToken(connection, identity);
    });
  }

  async handleDisconnect(connection: Connection): Promise<void> {
    this.tokenDeadlines.get(connection)?.cancel();
    this.reviewer.stop(connection);
    try {
      await this.subscriptions.end(connection);
    } catch (error) {
      // The engine counts connections by lease; a farewell it did not hear costs a late number, nothing else.
      this.logger.warn(`telling the engine of a closed connection failed: ${String(error)}`);
    }
  }

  @SubscribeMessage('ping')
  ping(@Frame() frame: object): Reply {
    return { type: 'pong', timestamp: toSeconds(Date.now()), original_data: frame as ClientMessage };
  }

  @SubscribeMessage('subscribe')
  async subscribe(
    @CurrentConnection() connection: Connection,
    @Frame(SubscribeDto) frame: Readonly<SubscribeDto>,
  ): Promise<Reply> {
    const wanted = wantedBy(frame);
    const [only] = wanted;
    if (only && wanted.length === 1 && !frame.channels)
      return { type: 'subscription_confirmed', ...named(frame), ...(await this.join(connection, only)) };
    connection.charge(wanted.length - 1);
    const subscriptions = await this.joinAll(connection, wanted);
    // A user and a task in one frame: the reply names both, and is about the user like that of an old client's frame.
    const [first] = frame.channels ? [] : subscriptions;
    return { type: 'subscription_confirmed', ...named(frame), ...first, subscriptions };
  }

  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @CurrentConnection() connection: Connection,
    @Frame(SubscribeDto) frame: Readonly<SubscribeDto>,
  ): Promise<Reply> {
    const targets = wantedBy(frame).map(({ target }) => target);
    for (const target of targets) this.mustBeLeavable(target);
    for (const target of targets) {
      if (target.kind !== 'user') await this.subscriptions.unsubscribe(connection, channelOf(target));
      else if (target.userId === connection.userId) await this.subscriptions.becomeAnonymous(connection);
    }
    const channels = targets.map(channelOf);
    const [channel = ''] = channels;
    return { type: 'unsubscribed', ...named(frame), ...(frame.channels || targets.length > 1 ? { channels } : { channel }) };
  }

  @SubscribeMessage('confirm')
  async confirm(@CurrentConnection() connection: Connection, @Frame(ConfirmDto) frame: Readonly<ConfirmDto>): Promise<Reply> {
    const { arrival } = connection;
    const by = { userId: connection.userId ?? null, scope: await this.access.scopeOf(connection.identity), arrival };
    await deciding(connection, 'answering', frame.callback_id, () =>
      this.service.answer(frame.callback_id, by, frame, auditActorOf(connection)),
    );
    return { type: 'confirmation_accepted', callback_id: frame.callback_id };
  }

  @SubscribeMessage('cancel')
  async cancel(@CurrentConnection() connection: Connection, @Frame(CancelDto) frame: Readonly<CancelDto>): Promise<Reply> {
    const { identity } = connection;
    await this.access.assertCanReach(identity, frame.user_id, 'task');
    const request = {
      taskId: frame.task_id,
      scope: await this.access.scopeOf(identity),
      cancelledBy: connection.userId ?? null,
      reason: frame.reason ?? undefined,
      namedUserId: frame.user_id,
      allowUnknown: this.access.isOpen,
      arrival: connection.arrival,
    };
    return deciding(connection, 'cancelling', frame.task_id, async () =>
      taskCancelledMessage(await this.service.cancel(request, auditActorOf(connection))),
    );
  }

  @SubscribeMessage('ack')
  async ack(@CurrentConnection() connection: Connection, @Frame(AckDto) frame: Readonly<AckDto>): Promise<Reply> {
    await this.service.acknowledge(frame.message_id, await this.access.scopeOf(connection.identity));
    return { type: 'acknowledged', message_id: frame.message_id };
  }

  @SubscribeMessage('authenticate')
  async authenticate(
    @CurrentConnection() connection: Connection,
    @Frame(AuthenticateDto) frame: Readonly<AuthenticateDto>,
  ): Promise<Reply> {
    const request = this.requests.get(connection);
    if (!request)
      throw new NotificationError('INVALID_MESSAGE', 'this server has no authentication: name yourself with subscribe');
    const user = await this.tokens.check(frame.token, request);
    if (!user) throw new NotificationError('UNAUTHENTICATED', 'invalid token');
    this.assertAllowed(connection.userId === undefined || connection.userId === user.userId, 'this connection is somebody else');
    const identity = identityOf(user);
    if (connection.userId === undefined) {
      await this.mustHavePlace(connection);
      await this.subscriptions.becomeUser(connection, identity);
    } else await this.renew(connection, identity);
    await this.watchToken(connection, identity);
    return {
      type: 'authenticated',
      user_id: user.userId,
      expires_at: user.expiresAt === undefined ? null : toSeconds(user.expiresAt),
    };
  }

  @SubscribeMessage('pending')
  async pending(@CurrentConnection() connection: Connection, @Frame(PendingDto) frame: Readonly<PendingDto>): Promise<Reply> {
    const scope = await this.access.scopeOf(connection.identity);
    const limit = frame.limit ?? DEFAULT_PAGE;
    return this.hub.readPending(async (decided) => {
      const found: Confirmation[] = [];
      let cursor = frame.cursor ?? undefined;
      let bytes = 0;
      do {
        const page = await this.service.listConfirmations({
          scope,
          state: 'pending',
          limit: Math.min(limit - found.length, PENDING_ROWS),
          cursor,
        });
        found.push(...page.items);
        bytes += JSON.stringify(page.items).length;
        cursor = page.cursor;
      } while (cursor !== undefined && found.length < limit && bytes < PAGE_BYTES);
      const open = found.filter(({ callbackId }) => !decided.has(callbackId));
      return { type: 'pending', confirmations: open.map((confirmation) => promptMessage(confirmation, true)), cursor };
    });
  }

  /** What is done for a connection before its first frame; when that fails for so long it is closed, and comes back. */
  private async welcome(connection: Connection, begin: () => Promise<void>): Promise<void> {
    try {
      await connection.begin(async () => {
        while (!(await began(begin, connection))) await delay(WELCOME_AGAIN_MS);
      });
    } catch (error) {
      this.logger.error(`a new connection could not be served: ${String(error)}`);
      await connection.close(CLOSE.INTERNAL);
    }
  }

  private async join(connection: Connection, { target, since }: Wanted): Promise<Subscribed> {
    const ownerId = await this.mustHear(connection, target);
    switch (target.kind) {
      case 'user':
        return this.subscribeUser(connection, target.userId, since);
      case 'task':
        return this.subscriptions.subscribeTask(connection, target.taskId, since, ownerId);
      case 'named':
        return this.subscriptions.subscribeChannel(connection, target.name, since);
      case 'broadcast':
        return this.subscriptions.subscribeChannel(connection, BROADCAST_CHANNEL, since);
      default:
        return target satisfies never;
    }
  }

  /** A refusal ends a subscription that stands as well. @returns whose a task is. @throws NotificationError */
  private async mustHear(connection: Connection, target: ParsedChannel): Promise<string | undefined> {
    try {
      return await this.reviewer.mustHear(connection, target);
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) await this.reviewer.endRefused(connection, channelOf(target), error);
      throw error;
    }
  }

  /** A new token of the same user: what its predecessor allowed is asked again. */
  private async renew(connection: Connection, identity: Identity & { kind: 'user' }): Promise<void> {
    connection.identity = identity;
    connection.charge(connection.subscriptions.size);
    await this.reviewer.review(connection);
  }

  /**
   * At once, except that the identity comes before what depends on it. When it throws, no subscription is left that the
   * frame began.
   */
  private async joinAll(connection: Connection, wanted: Wanted[]): Promise<Subscribed[]> {
    const begun = wanted.map(({ target }) => channelOf(target)).filter((channel) => !connection.subscriptions.has(channel));
    const user = wanted.find(({ target }) => target.kind === 'user');
    const asUser = user && this.join(connection, user);
    const joining = wanted.map(async (one) => {
      if (one === user) return asUser as Promise<Subscribed>;
      if (one.target.kind !== 'broadcast') await asUser;
      return this.join(connection, one);
    });
    const results = await Promise.allSettled(joining);
    if (results.some(({ status }) => status === 'rejected')) await this.subscriptions.abandon(connection, begun);
    return Promise.all(joining);
  }

  private mustBeLeavable({ kind }: ParsedChannel): void {
    if (kind === 'broadcast') throw new InvalidMessageError({ channel: 'everybody has broadcast' });
    if (kind === 'user') this.assertAllowed(this.access.isOpen, 'the identity that a token gave stays');
  }

  private async subscribeUser(connection: Connection, userId: string, since?: StreamPosition): Promise<Subscribed> {
    // In secure mode this is the identity it has, with the token's end.
    const { identity } = connection;
    return this.subscriptions.subscribeUser(
      connection,
      identity.kind === 'user' && identity.userId === userId ? identity : { kind: 'user', userId },
      since,
    );
  }

  private async mustHavePlace(connection: Connection): Promise<void> {
    if (await this.places.promote(connection)) return;
    void connection.close(CLOSE.CONNECTION_LIMIT);
    throw new NotificationError('BUSY', CLOSE.CONNECTION_LIMIT.reason);
  }

  private assertAllowed(allowed: boolean, message: string): void {
    if (!allowed) throw new NotificationError('FORBIDDEN', message);
  }

  /** Closes the connection when its token ends, or was revoked while the connection became the user's. */
  private async watchToken(connection: Connection, identity: Identity & { kind: 'user' }): Promise<void> {
    this.tokenDeadlines.get(connection)?.cancel();
    if (identity.expiresAt !== undefined) this.closeUnauthenticatedIn(connection, identity.expiresAt - Date.now());
    this.reviewer.start(connection);
    if (await this.tokens.isRevoked(identity)) connection.cut(CLOSE.REVOKED);
  }

  private closeUnauthenticatedIn(connection: Connection, delayMs: number): void {
    if (!connection.isOpen) return;
    const close = (): void => void connection.close(CLOSE.UNAUTHENTICATED);
    this.tokenDeadlines.set(connection, this.wheel.schedule(delayMs, close));
  }
}

/** Where the reply is an error that tells no decision, the notice does that came meanwhile. */
async function deciding<Result>(
  connection: Connection,
  as: 'answering' | 'cancelling',
  id: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const on: Deciding = { id };
  connection[as] = on;
  try {
    return await work();
  } catch (error) {
    if (on.notice && !(error instanceof AlreadyResolvedError)) connection.send(on.notice);
    throw error;
  } finally {
    connection[as] = undefined;
  }
}

/** @returns `false` when the engine is away, and the connection is so new that it may wait */
async function began(begin: () => Promise<void>, connection: Connection): Promise<boolean> {
  try {
    await begin();
    return true;
  } catch (error) {
    const mayWait = connection.isOpen && Date.now() < connection.connectedAt + WELCOME_WITHIN_MS;
    if (error instanceof EngineUnavailableError && mayWait) return false;
    throw error;
  }
}

/** A target that was not given as a channel is named in the reply as it was given. */
function named({ user_id, task_id }: SubscribeDto): { user_id?: string; task_id?: string } {
  return { ...(user_id != null && { user_id }), ...(task_id != null && { task_id }) };
}
