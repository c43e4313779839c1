/**
 * The actions of the protocol, as Nest message handlers. Pipes, guards, filters and interceptors of an application work on
 * them. What a handler returns is the reply.
 */
import { UseFilters, UseGuards, type OnModuleInit } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway, type OnGatewayInit } from '@nestjs/websockets';
import { Access } from '../access/access.js';
import type { Channel } from '../../protocol/channels.js';
import type { PingMessage } from '../../protocol/actions.js';
import type { Replies, Subscribed } from '../../protocol/replies.js';
import { toMs, toSeconds } from '../../protocol/time.js';
import { dismissedMessage, promptMessage } from '../confirmation/presentation.js';
import type { Connection } from '../connection/connection.js';
import { ConfigurationError, InvalidMessageError, NotificationError } from '../notification.errors.js';
import { NotificationActions } from '../notification.actions.js';
import { PendingPrompts } from '../subscription/pending-prompts.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { taskCancelledMessage } from '../task/presentation.js';
import { ActionGuard } from './guards/action.guard.js';
import { auditActorOf } from './audit-actor.js';
import { Authentication } from './authentication.js';
import { CurrentConnection } from './decorators/current-connection.decorator.js';
import { Frame } from './decorators/frame.decorator.js';
import { AckDto } from './dto/ack.dto.js';
import { AuthenticateDto } from './dto/authenticate.dto.js';
import { CancelDto } from './dto/cancel.dto.js';
import { assertUnderstood, ConfirmDto } from './dto/confirm.dto.js';
import { DismissDto } from './dto/dismiss.dto.js';
import { PendingDto } from './dto/pending.dto.js';
import { SeenDto } from './dto/seen.dto.js';
import { SubscribeDto } from './dto/subscribe.dto.js';
import { NOTIFICATION_GATEWAY } from './notification-ws.adapter.js';
import { targetsOf } from './subscribe-targets.js';
import { NotificationWebSocketServer } from './websocket-server.js';
import { WsErrorFilter } from './filters/ws-error.filter.js';
import { Date } from '../pacing/time-source.js';

const DEFAULT_PAGE = 100;

@WebSocketGateway({ path: '/ws', [NOTIFICATION_GATEWAY]: true })
@UseGuards(ActionGuard)
@UseFilters(WsErrorFilter)
export class NotificationGateway implements OnModuleInit, OnGatewayInit {
  private hasAdapter = true;

  constructor(
    private readonly actions: NotificationActions,
    private readonly access: Access,
    private readonly authentication: Authentication,
    private readonly subscriptions: Subscriptions,
    private readonly pendingPrompts: PendingPrompts,
  ) {}

  /** Nest swallows what is thrown here, so `onModuleInit` throws it. */
  afterInit(server: unknown): void {
    this.hasAdapter = server instanceof NotificationWebSocketServer;
  }

  onModuleInit(): void {
    if (this.hasAdapter) return;
    throw new ConfigurationError(
      'the notification gateway needs its adapter: app.useWebSocketAdapter(new NotificationWsAdapter(app)) before listen()',
    );
  }

  @SubscribeMessage('ping')
  ping(@Frame() frame: object): Replies['ping'] {
    return { type: 'pong', timestamp: toSeconds(Date.now()), original_data: frame as PingMessage };
  }

  @SubscribeMessage('subscribe')
  async subscribe(
    @CurrentConnection() connection: Connection,
    @Frame(SubscribeDto) frame: Readonly<SubscribeDto>,
  ): Promise<Replies['subscribe']> {
    const targets = targetsOf(frame);
    if (targets.length > 1) connection.charge(targets.length - 1);
    const subscriptions = await this.subscriptions.subscribe(connection, targets);
    return subscribedReply(frame, subscriptions);
  }

  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @CurrentConnection() connection: Connection,
    @Frame(SubscribeDto) frame: Readonly<SubscribeDto>,
  ): Promise<Replies['unsubscribe']> {
    const channels = targetsOf(frame).map(({ channel }) => channel);
    for (const channel of channels) this.assertMayLeave(channel);
    for (const channel of channels) await this.subscriptions.unsubscribe(connection, channel);
    return unsubscribedReply(frame, channels);
  }

  @SubscribeMessage('confirm')
  async confirm(
    @CurrentConnection() connection: Connection,
    @Frame(ConfirmDto, assertUnderstood) frame: Readonly<ConfirmDto>,
  ): Promise<Replies['confirm']> {
    const { frameArrival: arrival, identity, userId = null } = connection;
    const by = { userId, scope: await this.access.scopeOf(identity), arrival };
    await connection.decide('confirmation', frame.callback_id, () =>
      this.actions.answer(frame.callback_id, by, frame, auditActorOf(connection)),
    );
    return { type: 'confirmation_accepted', callback_id: frame.callback_id };
  }

  @SubscribeMessage('cancel')
  async cancel(
    @CurrentConnection() connection: Connection,
    @Frame(CancelDto) frame: Readonly<CancelDto>,
  ): Promise<Replies['cancel']> {
    const { identity } = connection;
    await this.access.assertCanReach(identity, frame.user_id, 'task');
    const request = {
      taskId: frame.task_id,
      scope: await this.access.scopeOf(identity),
      cancelledBy: connection.userId ?? null,
      reason: frame.reason ?? undefined,
      namedUserId: frame.user_id,
      allowUnknown: this.access.isOpen,
      arrival: connection.frameArrival,
    };
    return connection.decide('task', frame.task_id, async () =>
      taskCancelledMessage(await this.actions.cancelTask(request, auditActorOf(connection))),
    );
  }

  @SubscribeMessage('ack')
  async ack(@CurrentConnection() connection: Connection, @Frame(AckDto) frame: Readonly<AckDto>): Promise<Replies['ack']> {
    await this.actions.acknowledge(frame.message_id, await this.access.scopeOf(connection.identity));
    return { type: 'acknowledged', message_id: frame.message_id };
  }

  @SubscribeMessage('authenticate')
  async authenticate(
    @CurrentConnection() connection: Connection,
    @Frame(AuthenticateDto) frame: Readonly<AuthenticateDto>,
  ): Promise<Replies['authenticate']> {
    const { userId, expiresAt } = await this.authentication.authenticate(connection, frame.token);
    return { type: 'authenticated', user_id: userId, expires_at: expiresAt === undefined ? null : toSeconds(expiresAt) };
  }

  @SubscribeMessage('pending')
  async pending(
    @CurrentConnection() connection: Connection,
    @Frame(PendingDto) frame: Readonly<PendingDto>,
  ): Promise<Replies['pending']> {
    const scope = await this.access.scopeOf(connection.identity);
    const { items, cursor } = await this.pendingPrompts.page(scope, frame.limit ?? DEFAULT_PAGE, frame.cursor ?? undefined);
    return { type: 'pending', confirmations: items.map((confirmation) => promptMessage(confirmation, true)), cursor };
  }

  @SubscribeMessage('seen')
  async seen(@CurrentConnection() connection: Connection, @Frame(SeenDto) frame: Readonly<SeenDto>): Promise<Replies['seen']> {
    const scope = await this.access.scopeOf(connection.identity);
    const { callbackId, seenAt } = await this.actions.markSeen(frame.callback_id, scope);
    return { type: 'seen', callback_id: callbackId, seen_at: seenAt === undefined ? null : toSeconds(seenAt) };
  }

  @SubscribeMessage('dismiss')
  async dismiss(
    @CurrentConnection() connection: Connection,
    @Frame(DismissDto) frame: Readonly<DismissDto>,
  ): Promise<Replies['dismiss']> {
    const scope = await this.access.scopeOf(connection.identity);
    const dismissed = await this.actions.dismiss(frame.callback_id, scope, toMs(frame.until));
    return { ...dismissedMessage(dismissed), type: 'dismissed' };
  }

  private assertMayLeave({ kind }: Channel): void {
    if (kind === 'broadcast') throw new InvalidMessageError({ channel: 'everybody has broadcast' });
    if (kind === 'user' && !this.access.isOpen) throw new NotificationError('FORBIDDEN', 'the identity that a token gave stays');
  }
}

/** A reply names a user and a task as the frame did, and a channel or several likewise. */
function subscribedReply(frame: Readonly<SubscribeDto>, subscriptions: Subscribed[]): Replies['subscribe'] {
  const [first] = subscriptions;
  const names = namesIn(frame);
  if (first && subscriptions.length === 1 && !frame.channels) return { type: 'subscription_confirmed', ...names, ...first };
  // A user and a task in one frame: the reply is also about the user alone, as for an old client.
  return { type: 'subscription_confirmed', ...names, ...(frame.channels ? undefined : first), subscriptions };
}

function unsubscribedReply(frame: Readonly<SubscribeDto>, channels: Channel[]): Replies['unsubscribe'] {
  const names = channels.map(({ name }) => name);
  const isList = frame.channels || names.length > 1;
  return { type: 'unsubscribed', ...namesIn(frame), ...(isList ? { channels: names } : { channel: names[0] ?? '' }) };
}

function namesIn({ user_id, task_id }: Readonly<SubscribeDto>): { user_id?: string; task_id?: string } {
  return { ...(user_id != null && { user_id }), ...(task_id != null && { task_id }) };
}
