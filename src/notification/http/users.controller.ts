/** The routes of one user: messages, presence, rights, and the user's confirmations. */
import { Get, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import type { ApplicationMessage } from '../../protocol/messages.js';
import { toSeconds } from '../../protocol/time.js';
import { Access } from '../access/access.js';
import { inboxEntry } from '../confirmation/presentation.js';
import type { Device } from '../engine/engine.js';
import { InvalidMessageError } from '../notification.errors.js';
import { NotificationActions } from '../notification.actions.js';
import { NotificationService } from '../notification.service.js';
import type { MessageDelivery } from '../subscription/publisher.js';
import type { Caller } from './callers.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { CheckedQuery } from './decorators/checked-query.decorator.js';
import { CurrentCaller } from './decorators/current-caller.decorator.js';
import { UserIdParam } from './decorators/id-param.decorator.js';
import { JsonBody } from './decorators/json-body.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { InboxQueryDto, listQuery } from './dto/inbox-query.dto.js';
import { InboxResponse } from './dto/responses/confirmation.dto.js';
import { MessageResponse } from './dto/responses/delivery.dto.js';
import { DeviceResponse, PresenceResponse, ReviewResponse, RevocationResponse } from './dto/responses/user.dto.js';
import { SendQueryDto } from './dto/wait-query.dto.js';
import { LongPolls } from './long-polls.js';

@ApiTags('messages')
@RestController('ws/users')
export class UsersController {
  constructor(
    private readonly service: NotificationService,
    private readonly actions: NotificationActions,
    private readonly access: Access,
    private readonly polls: LongPolls,
  ) {}

  @ApiDocs({
    summary: 'Send a message to a user’s devices',
    description: 'With `requires_ack=true` it is kept, and shown on every connect, until one of them acknowledges it.',
    answers: { 202: { type: MessageResponse, description: 'Sent, or kept.' } },
    errors: ['INVALID_JSON', 'STORE_FULL'],
  })
  @Post(':user_id/messages')
  @RequirePermission('user.send')
  @HttpCode(202)
  async send(
    @CurrentCaller() caller: Caller,
    @UserIdParam() userId: string,
    @CheckedQuery(SendQueryDto) query: Readonly<SendQueryDto>,
    @JsonBody() message: object,
  ): Promise<object> {
    const requiresAck = query.requires_ack === 'true';
    if (query.wait !== undefined && !requiresAck) throw new InvalidMessageError({ wait: 'needs requires_ack=true' });
    const send = (ackTimeoutMs?: number, signal?: AbortSignal): Promise<MessageDelivery> =>
      this.service.sendToUser(userId, message as ApplicationMessage, { requiresAck, ackTimeoutMs, signal });
    const delivery = await (query.wait === undefined ? send() : this.polls.run(caller, query.wait * 1000, send));
    return { delivered_to: delivery.deliveredTo, message_id: delivery.messageId, acknowledged: delivery.acknowledged };
  }

  @ApiDocs({
    summary: 'Whether a user is connected, on any node, and with which devices',
    answers: { 200: { type: PresenceResponse, description: 'The presence.' } },
    errors: ['NOT_FOUND'],
  })
  @Get(':user_id')
  @RequirePermission('user.read')
  async presence(@CurrentCaller() caller: Caller, @UserIdParam() userId: string): Promise<object> {
    await this.access.assertCanReach(caller.principal, userId, 'user');
    const [{ connections, reconnects }, devices] = await Promise.all([
      this.service.presence(userId),
      this.service.devices(userId),
    ]);
    return { user_id: userId, online: connections > 0, connections, reconnects, devices: devices.map(deviceView) };
  }

  @ApiDocs({
    summary: 'Close all of a user’s connections, and refuse the tokens issued until now',
    answers: { 200: { type: RevocationResponse, description: 'Revoked.' } },
  })
  @Post(':user_id/revoke')
  @HttpCode(200)
  @RequirePermission('user.revoke')
  async revoke(@CurrentCaller() caller: Caller, @UserIdParam() userId: string): Promise<object> {
    const revokedAt = await this.actions.revokeUser(userId, caller.actor);
    return { user_id: userId, revoked_at: toSeconds(revokedAt) };
  }

  @ApiDocs({
    summary: 'Ask again, on every node, what a user may do: what is not allowed any more ends',
    answers: { 200: { type: ReviewResponse, description: 'Every node asks.' } },
  })
  @Post(':user_id/review')
  @HttpCode(200)
  @RequirePermission('user.review')
  async review(@CurrentCaller() caller: Caller, @UserIdParam() userId: string): Promise<object> {
    await this.actions.reviewAccess(userId, caller.actor);
    return { user_id: userId };
  }

  @ApiDocs({
    summary: 'A user’s inbox: the user’s confirmations with their decisions',
    answers: { 200: { type: InboxResponse, description: 'A page.' } },
    errors: ['NOT_FOUND'],
  })
  @Get(':user_id/confirmations')
  @RequirePermission('user.inbox')
  async inbox(
    @CurrentCaller() caller: Caller,
    @UserIdParam() userId: string,
    @CheckedQuery(InboxQueryDto) query: Readonly<InboxQueryDto>,
  ): Promise<object> {
    await this.access.assertCanReach(caller.principal, userId, 'user');
    const { items, cursor } = await this.actions.list({ scope: [userId], ...listQuery(query) });
    return { confirmations: items.map(inboxEntry), cursor };
  }
}

function deviceView({ node, connectedAt, address, roundTripMs, roundTripSpreadMs, queueBytes }: Device): DeviceResponse {
  return {
    node,
    since: toSeconds(connectedAt),
    address,
    round_trip_time: roundTripMs === undefined ? undefined : toSeconds(roundTripMs),
    round_trip_spread: roundTripSpreadMs === undefined ? undefined : toSeconds(roundTripSpreadMs),
    queue_bytes: queueBytes,
  };
}
