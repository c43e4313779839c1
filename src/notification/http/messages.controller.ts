/** `GET /ws/status`, `POST /ws/broadcast`, and what concerns one user: messages, presence, inbox. */
import type { Request } from 'express';
import { Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { Access } from '../access/access.js';
import type { Device } from '../engine/engine.js';
import { inboxEntry } from '../confirmation/presentation.js';
import { toSeconds } from '../../protocol/time.js';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { InvalidMessageError } from '../notification.errors.js';
import { NotificationService, type Delivery } from '../notification.service.js';
import { ApiTags } from './api-docs.js';
import { InboxQuery, SendQuery } from './bodies.js';
import { Documented, NamedInPath } from './documented.js';
import {
  DeliveryResponse,
  InboxResponse,
  MessageResponse,
  PresenceResponse,
  ReviewResponse,
  RevocationResponse,
  StatusResponse,
} from './responses.js';
import { Calling, Operation, type Caller } from './caller.js';
import { LongPolls } from './long-polls.js';
import { IdentifierPipe } from '../validation.js';
import { CheckedQuery } from './checked-query.js';
import { JsonBody } from './json-body.js';
import { RestController } from './rest.js';

const DEFAULT_PAGE = 100;

@ApiTags('messages')
@RestController('ws')
export class MessagesController {
  constructor(
    private readonly service: NotificationService,
    private readonly access: Access,
    private readonly polls: LongPolls,
  ) {}

  @Documented({
    summary: 'This node and the whole cluster',
    answers: { 200: { type: StatusResponse, description: 'The state.' } },
  })
  @Get('status')
  @Operation('status.read')
  async status(): Promise<object> {
    const { cluster, ...status } = await this.service.getStatus();
    return {
      running: status.running,
      host: status.host,
      port: status.port,
      active_connections: status.activeConnections,
      pending_callbacks: status.pendingCallbacks,
      unacknowledged_messages: status.unacknowledgedMessages,
      cluster: { engine: cluster.engine, nodes: cluster.nodes, active_connections: cluster.activeConnections },
    };
  }

  @Documented({
    summary: 'Send a message to everybody',
    answers: { 202: { type: DeliveryResponse, description: 'Sent.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @Post('broadcast')
  @Operation('broadcast.send')
  @HttpCode(202)
  async broadcast(@JsonBody() message: object): Promise<object> {
    const { deliveredTo } = await this.service.broadcastMessage(message as ApplicationMessage);
    return { delivered_to: deliveredTo };
  }

  @Documented({
    summary: 'Send a message to a user’s devices',
    description: 'With `requires_ack=true` it is kept, and shown on every connect, until one of them acknowledges it.',
    answers: { 202: { type: MessageResponse, description: 'Sent, or kept.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @NamedInPath('user_id', 'The user.')
  @Post('users/:user_id/messages')
  @Operation('user.send')
  @HttpCode(202)
  async send(
    @Req() request: Request,
    @Calling() caller: Caller,
    @Param('user_id', IdentifierPipe) userId: string,
    @CheckedQuery(SendQuery) query: SendQuery,
    @JsonBody() message: object,
  ): Promise<object> {
    const requiresAck = query.requires_ack === 'true';
    if (query.wait !== undefined && !requiresAck) throw new InvalidMessageError({ wait: 'needs requires_ack=true' });
    const send = (ackTimeoutMs?: number, signal?: AbortSignal): Promise<Delivery> =>
      this.service.sendToUser(userId, message as ApplicationMessage, { requiresAck, ackTimeoutMs, signal });
    const delivery = await (query.wait === undefined ? send() : this.polls.run(caller, request, query.wait * 1000, send));
    return { delivered_to: delivery.deliveredTo, message_id: delivery.messageId, acknowledged: delivery.acknowledged };
  }

  @Documented({
    summary: 'Whether a user is connected, on any node, and with which devices',
    answers: { 200: { type: PresenceResponse, description: 'The presence.' } },
    errors: ['NOT_FOUND'],
  })
  @NamedInPath('user_id', 'The user.')
  @Get('users/:user_id')
  @Operation('user.read')
  async presence(@Calling() caller: Caller, @Param('user_id', IdentifierPipe) userId: string): Promise<object> {
    await this.access.mustReach(caller.subject, userId, 'user');
    const [{ connections }, devices] = await Promise.all([this.service.presence(userId), this.service.devices(userId)]);
    return { user_id: userId, online: connections > 0, connections, devices: devices.map(deviceView) };
  }

  @Documented({
    summary: 'Close all of a user’s connections, and refuse the tokens issued until now',
    answers: { 200: { type: RevocationResponse, description: 'Revoked.' } },
  })
  @NamedInPath('user_id', 'The user.')
  @Post('users/:user_id/revoke')
  @HttpCode(200)
  @Operation('user.revoke')
  async revoke(@Calling() caller: Caller, @Param('user_id', IdentifierPipe) userId: string): Promise<object> {
    const revokedAt = await this.service.revokeUser(userId, caller.origin);
    return { user_id: userId, revoked_at: toSeconds(revokedAt) };
  }

  @Documented({
    summary: 'Ask again, on every node, what a user may do: what is not allowed any more ends',
    answers: { 200: { type: ReviewResponse, description: 'Every node asks.' } },
  })
  @NamedInPath('user_id', 'The user.')
  @Post('users/:user_id/review')
  @HttpCode(200)
  @Operation('user.review')
  async review(@Calling() caller: Caller, @Param('user_id', IdentifierPipe) userId: string): Promise<object> {
    await this.service.reviewAccess(userId, caller.origin);
    return { user_id: userId };
  }

  @Documented({
    summary: 'A user’s inbox: what was asked, and how it was decided',
    answers: { 200: { type: InboxResponse, description: 'A page.' } },
    errors: ['NOT_FOUND'],
  })
  @NamedInPath('user_id', 'The user.')
  @Get('users/:user_id/confirmations')
  @Operation('user.inbox')
  async inbox(
    @Calling() caller: Caller,
    @Param('user_id', IdentifierPipe) userId: string,
    @CheckedQuery(InboxQuery) query: InboxQuery,
  ): Promise<object> {
    await this.access.mustReach(caller.subject, userId, 'user');
    const { items, cursor } = await this.service.listConfirmations({
      scope: [userId],
      state: query.state,
      taskId: query.task_id,
      limit: query.limit ?? DEFAULT_PAGE,
      cursor: query.cursor,
    });
    return { confirmations: items.map(inboxEntry), cursor };
  }
}

function deviceView({ node, connectedAt, address, roundTripMs }: Device): object {
  const round_trip_time = roundTripMs === undefined ? undefined : toSeconds(roundTripMs);
  return { node, since: toSeconds(connectedAt), address, round_trip_time };
}
