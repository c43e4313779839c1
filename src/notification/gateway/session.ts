/**
 * What a connection is subscribed to and who it is: joining, leaving, and what is shown to whoever comes.
 *
 * A subscription begins in phase `recovering`, even without `recover`: it reads history from the position told in the
 * reply until it is live, so that nothing falls between.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Access } from '../access/access.js';
import { taskChannel, userChannel } from '../../protocol/channels.js';
import type { StreamPosition } from '../../protocol/messages.js';
import { redeliverMessages, redeliverPrompts } from '../confirmation/redelivery.js';
import type { Connection, Identity } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import type { FrameSource } from '../connection/outbox.js';
import { recover } from '../connection/recovery.js';
import { Engine } from '../engine/engine.js';

export interface Subscribed extends StreamPosition {
  channel: string;
  pending: string[];
}

/** A task's or a channel's open prompts named in a reply; a user's are all named. */
const MAX_TASK_PENDING = 1000;

/** What the engine has been told of a connection, and has to be untold. */
interface Told {
  userId?: string;
  readonly channels: Set<string>;
}

/** What anonymous connections watch: everything of every user and task. */
const EVERYTHING = '*';

@Injectable()
export class Sessions {
  private readonly logger = new Logger(Sessions.name);
  private readonly told = new WeakMap<Connection, Told>();

  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
    private readonly access: Access,
  ) {}

  /** A connection has come. */
  async begin(connection: Connection): Promise<void> {
    if (connection.identity.kind === 'anonymous') await this.watch(connection, EVERYTHING);
  }

  /** Makes the connection a user's, and shows it what waits for that user. */
  async becomeUser(connection: Connection, identity: Identity & { kind: 'user' }, since?: StreamPosition): Promise<Subscribed> {
    const { userId } = identity;
    const channel = userChannel(userId);
    await this.watch(connection, channel);
    const [position, pending] = await Promise.all([this.engine.position(channel), this.engine.pendingIds(userId)]);
    if (connection.userId !== userId) {
      await this.leaveUser(connection);
      await this.engine.connect(connection.id, userId);
      this.toldOf(connection).userId = userId;
    }
    // From here to the reply nothing is awaited.
    this.hub.identify(connection, identity);
    this.join(connection, channel, position, since, [
      redeliverPrompts(this.engine, connection, userId),
      redeliverMessages(this.engine, connection, userId),
    ]);
    this.endIfGone(connection);
    return { channel, ...position, pending };
  }

  /** Makes the connection anonymous again. */
  async becomeAnonymous(connection: Connection): Promise<void> {
    await this.watch(connection, EVERYTHING);
    await this.leaveUser(connection);
    this.hub.identify(connection, { kind: 'anonymous' });
    this.endIfGone(connection);
  }

  async subscribeTask(connection: Connection, taskId: string, since?: StreamPosition): Promise<Subscribed> {
    const channel = taskChannel(taskId);
    await this.watch(connection, channel);
    const query = {
      scope: await this.access.scopeOf(connection.identity),
      taskId,
      state: 'pending',
      limit: MAX_TASK_PENDING,
    } as const;
    const [position, pending] = await Promise.all([this.engine.position(channel), this.engine.list(query)]);
    this.join(connection, channel, position, since);
    this.endIfGone(connection);
    return { channel, ...position, pending: pending.items.map(({ callbackId }) => callbackId) };
  }

  async subscribeChannel(connection: Connection, channel: string, since?: StreamPosition): Promise<Subscribed> {
    await this.watch(connection, channel);
    const position = await this.engine.position(channel);
    this.join(connection, channel, position, since);
    this.endIfGone(connection);
    return { channel, ...position, pending: [] };
  }

  async unsubscribe(connection: Connection, channel: string): Promise<void> {
    this.hub.unsubscribe(connection, channel);
    await this.unwatch(connection, channel);
  }

  /** The socket is gone. */
  async end(connection: Connection): Promise<void> {
    const told = this.told.get(connection);
    this.told.delete(connection);
    if (!told) return;
    if (told.userId !== undefined) await this.engine.disconnect(connection.id, told.userId);
    for (const channel of told.channels) await this.engine.unwatch(channel);
  }

  private join(
    connection: Connection,
    channel: string,
    position: StreamPosition,
    since?: StreamPosition,
    first: FrameSource[] = [],
  ): void {
    this.hub.subscribe(connection, channel);
    const subscription = { phase: 'recovering' as const, seen: 0 };
    connection.subscriptions.set(channel, subscription);
    for (const source of first) connection.followReplyWith(source);
    const recovery = { channel, since: since ?? position, announce: since !== undefined, subscription };
    connection.followReplyWith(recover(this.engine, connection, recovery));
  }

  /** The engine is told of the new state before the old one is taken back, so that nothing is missed between. */
  private async leaveUser(connection: Connection): Promise<void> {
    const told = this.toldOf(connection);
    if (told.userId === undefined) return this.unwatch(connection, EVERYTHING);
    const channel = userChannel(told.userId);
    this.hub.unsubscribe(connection, channel);
    await this.engine.disconnect(connection.id, told.userId);
    told.userId = undefined;
    await this.unwatch(connection, channel);
  }

  private async watch(connection: Connection, channel: string): Promise<void> {
    const { channels } = this.toldOf(connection);
    if (channels.has(channel)) return;
    channels.add(channel);
    await this.engine.watch(channel);
  }

  private async unwatch(connection: Connection, channel: string): Promise<void> {
    if (this.toldOf(connection).channels.delete(channel)) await this.engine.unwatch(channel);
  }

  private toldOf(connection: Connection): Told {
    const told = this.told.get(connection) ?? { channels: new Set() };
    this.told.set(connection, told);
    return told;
  }

  /** It went away while the engine was being told of it. */
  private endIfGone(connection: Connection): void {
    if (connection.isOpen) return;
    this.hub.remove(connection);
    this.end(connection).catch((error: unknown) =>
      this.logger.warn(`telling the engine of a closed connection failed: ${String(error)}`),
    );
  }
}
