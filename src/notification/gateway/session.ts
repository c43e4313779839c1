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
import type { Connection, Identity, Subscription } from '../connection/connection.js';
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
    const noted = this.noteLive(connection, channel);
    try {
      const position = await this.engine.position(channel);
      await this.enter(connection, userId);
      this.hub.identify(connection, identity);
      const reached = this.join(connection, channel, position, since, [
        redeliverPrompts(this.engine, connection, userId),
        redeliverMessages(this.engine, connection, userId),
      ]);
      // Read once the connection is told of decisions: none of these can be decided behind its back.
      const pending = await this.readOpen(() => this.engine.pendingIds(userId));
      const subscription = connection.subscriptions.get(channel);
      const live = subscription?.phase === 'live' ? subscription.position : undefined;
      return { channel, ...(live ?? reached), pending };
    } finally {
      if (connection.subscriptions.get(channel) === noted && connection.userId !== userId)
        connection.subscriptions.delete(channel);
      this.endIfGone(connection);
    }
  }

  /** Makes the connection anonymous again. */
  async becomeAnonymous(connection: Connection): Promise<void> {
    await this.watch(connection, EVERYTHING);
    const told = this.toldOf(connection);
    const earlier = told.userId;
    told.userId = undefined;
    await this.leave(connection, earlier);
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
    const list = async (): Promise<string[]> => (await this.engine.list(query)).items.map(({ callbackId }) => callbackId);
    const [position, pending] = await Promise.all([this.engine.position(channel), this.readOpen(list)]);
    const reached = this.join(connection, channel, position, since);
    this.endIfGone(connection);
    return { channel, ...reached, pending };
  }

  async subscribeChannel(connection: Connection, channel: string, since?: StreamPosition): Promise<Subscribed> {
    await this.watch(connection, channel);
    const position = await this.engine.position(channel);
    const reached = this.join(connection, channel, position, since);
    this.endIfGone(connection);
    return { channel, ...reached, pending: [] };
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

  /**
   * Subscribes, without awaiting anything. Without `since` a subscription that is live or on its way there stays as it is.
   * @returns up to where the connection has what there is, or will be given it
   */
  /** The prompts that are open, without those whose decision was told while they were read. */
  private readOpen(read: () => Promise<string[]>): Promise<string[]> {
    return this.hub.readPending(async (decided) => (await read()).filter((callbackId) => !decided.has(callbackId)));
  }

  private join(
    connection: Connection,
    channel: string,
    position: StreamPosition,
    since?: StreamPosition,
    first: FrameSource[] = [],
  ): StreamPosition {
    for (const source of first) connection.followReplyWith(source);
    const earlier = connection.subscriptions.get(channel);
    this.hub.subscribe(connection, channel);
    if (since === undefined && earlier) {
      if (earlier.phase === 'recovering') return position;
      if (earlier.position) return earlier.position;
    }
    const subscription = { phase: 'recovering' as const, seen: 0 };
    connection.subscriptions.set(channel, subscription);
    const recovery = { channel, since: since ?? position, announce: since !== undefined, subscription };
    connection.followReplyWith(recover(this.engine, connection, recovery));
    return position;
  }

  /** An anonymous connection sees the user's messages before it says who it is: notes up to which, so that none comes twice. */
  private noteLive(connection: Connection, channel: string): Subscription | undefined {
    if (connection.subscriptions.has(channel)) return undefined;
    const noted: Subscription = { phase: 'live' };
    connection.subscriptions.set(channel, noted);
    return noted;
  }

  /** The engine counts the connection as the user's; it is told of the new state before the old one is taken back. */
  private async enter(connection: Connection, userId: string): Promise<void> {
    const earlier = this.toldOf(connection).userId;
    if (earlier === userId) return;
    await this.engine.connect(connection.id, userId);
    this.toldOf(connection).userId = userId;
    await this.leave(connection, earlier);
  }

  /** Ceases to be a user's, or anonymous. */
  private async leave(connection: Connection, userId: string | undefined): Promise<void> {
    if (userId === undefined) return this.unwatch(connection, EVERYTHING);
    const channel = userChannel(userId);
    this.hub.unsubscribe(connection, channel);
    await this.engine.disconnect(connection.id, userId);
    await this.unwatch(connection, channel);
  }

  private async watch(connection: Connection, channel: string): Promise<void> {
    const { channels } = this.toldOf(connection);
    if (channels.has(channel)) return;
    channels.add(channel);
    try {
      await this.engine.watch(channel);
    } catch (error) {
      // Who tries again must find it not watched: until it is, events pass by.
      await this.unwatch(connection, channel).catch(() => undefined);
      throw error;
    }
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
