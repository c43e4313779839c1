/**
 * What a connection is subscribed to and who it is: joining, leaving, and what is shown to whoever comes.
 *
 * A subscription begins in phase `recovering`, even without `recover`: it reads history from the position told in the
 * reply until it is live, so that nothing falls between.
 */
import { Inject, Injectable } from '@nestjs/common';
import { taskChannel, userChannel } from '../../protocol/channels.js';
import type { StreamPosition } from '../../protocol/messages.js';
import { redeliverMessages, redeliverPrompts } from '../confirmation/redelivery.js';
import type { Connection, Identity } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import type { FrameSource } from '../connection/outbox.js';
import { recover } from '../connection/recovery.js';
import { Engine, type Scope } from '../engine/engine.js';

export interface Subscribed extends StreamPosition {
  channel: string;
  pending: string[];
}

/** A task's or a channel's open prompts named in a reply; a user's are all named. */
const MAX_TASK_PENDING = 1000;

@Injectable()
export class Sessions {
  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
  ) {}

  /** Makes the connection a user's, and shows it what waits for that user. */
  async becomeUser(connection: Connection, identity: Identity & { kind: 'user' }, since?: StreamPosition): Promise<Subscribed> {
    const { userId } = identity;
    const channel = userChannel(userId);
    const [position, pending] = await Promise.all([this.engine.position(channel), this.engine.pendingIds(userId)]);
    await this.leaveUser(connection);
    await this.engine.connect(connection.id, userId);
    if (!connection.isOpen) await this.engine.disconnect(connection.id, userId);
    this.hub.identify(connection, identity);
    this.join(connection, channel, position, since, [
      redeliverPrompts(this.engine, connection, userId),
      redeliverMessages(this.engine, connection, userId),
    ]);
    return { channel, ...position, pending };
  }

  /** Makes the connection anonymous again. */
  async becomeAnonymous(connection: Connection): Promise<void> {
    await this.leaveUser(connection);
    this.hub.identify(connection, { kind: 'anonymous' });
  }

  async subscribeTask(connection: Connection, taskId: string, since?: StreamPosition): Promise<Subscribed> {
    const channel = taskChannel(taskId);
    const query = { scope: scopeOf(connection.identity), taskId, state: 'pending', limit: MAX_TASK_PENDING } as const;
    const [position, pending] = await Promise.all([this.engine.position(channel), this.engine.list(query)]);
    this.join(connection, channel, position, since);
    return { channel, ...position, pending: pending.items.map(({ callbackId }) => callbackId) };
  }

  async subscribeChannel(connection: Connection, channel: string, since?: StreamPosition): Promise<Subscribed> {
    const position = await this.engine.position(channel);
    this.join(connection, channel, position, since);
    return { channel, ...position, pending: [] };
  }

  unsubscribe(connection: Connection, channel: string): void {
    this.hub.unsubscribe(connection, channel);
  }

  /** The socket is gone. */
  async end(connection: Connection): Promise<void> {
    if (connection.userId !== undefined) await this.engine.disconnect(connection.id, connection.userId);
  }

  private join(
    connection: Connection,
    channel: string,
    position: StreamPosition,
    since?: StreamPosition,
    first: FrameSource[] = [],
  ): void {
    this.hub.subscribe(connection, channel);
    connection.subscriptions.set(channel, { phase: 'recovering', seen: 0 });
    for (const source of first) connection.followReplyWith(source);
    connection.followReplyWith(recover(this.engine, connection, channel, since ?? position, since !== undefined));
  }

  private async leaveUser(connection: Connection): Promise<void> {
    const { userId } = connection;
    if (userId === undefined) return;
    this.hub.unsubscribe(connection, userChannel(userId));
    await this.engine.disconnect(connection.id, userId);
  }
}

/** Whose things an identity may touch. */
export function scopeOf(identity: Identity): Scope {
  switch (identity.kind) {
    case 'anonymous':
      return 'all';
    case 'user':
      return [identity.userId];
    case 'unauthenticated':
      return [];
    default:
      return identity satisfies never;
  }
}
