/**
 * What a connection is subscribed to and which user it is: joining, leaving, and what a user's connection is shown first.
 *
 *  1. A subscription begins before the position is read that the reply gives. What is published meanwhile is noted and
 *     read from history, so nothing falls between and nothing comes twice.
 *  2. A connection becomes a user's without a subscription to the user's channel: it hears the channel, and gets positions
 *     once a reply to `subscribe` has given it the epoch.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Access } from '../access/access.js';
import { taskChannel, userChannel } from '../../protocol/channels.js';
import type { StreamPosition, Subscribed } from '../../protocol/messages.js';
import { REDELIVERY, redeliver } from './redelivery.js';
import type { Connection, Identity } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import { Engine } from '../engine/engine.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { Recoveries } from './recoveries.js';
import { performance } from '../pacing/time-source.js';

/** A task's or a channel's open prompts named in a reply; a user's are all named. */
const MAX_TASK_PENDING = 1000;
/** Read at once. */
const TASK_PENDING_ROWS = 50;

/** Where a channel stands, and what is open in it. */
type Reading = Pick<Subscribed, 'pending'> & { position: StreamPosition };

/** What the engine has been told of a connection, and has to be untold. */
interface Told {
  described?: { userId: string; roundTripMs: number | undefined; at: number };
  userId?: string;
  readonly channels: Set<string>;
}

/** What anonymous connections watch: everything of every user and task. */
const EVERYTHING = '*';

const DESCRIBE_EVERY_MS = 60_000;

@Injectable()
export class Subscriptions {
  private readonly logger = new Logger(Subscriptions.name);
  private readonly told = new WeakMap<Connection, Told>();

  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
    private readonly access: Access,
    private readonly recoveries: Recoveries,
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
  ) {}

  /** A connection has come. */
  async begin(connection: Connection): Promise<void> {
    if (connection.identity.kind === 'anonymous') await this.watch(connection, EVERYTHING);
  }

  /** Makes the connection a user's, and shows it what waits for that user after the next reply. */
  async becomeUser(connection: Connection, identity: Identity & { kind: 'user' }): Promise<void> {
    await this.watch(connection, userChannel(identity.userId));
    try {
      await this.enter(connection, identity);
    } finally {
      this.endIfGone(connection);
    }
  }

  /** Makes the connection a user's, and subscribes it to the user's channel. */
  async subscribeUser(
    connection: Connection,
    identity: Identity & { kind: 'user' },
    since?: StreamPosition,
  ): Promise<Subscribed> {
    const channel = userChannel(identity.userId);
    await this.watch(connection, channel);
    return this.join(connection, channel, since, () => this.enter(connection, identity));
  }

  /** Makes the connection anonymous again. */
  async becomeAnonymous(connection: Connection): Promise<void> {
    await this.watch(connection, EVERYTHING);
    const told = this.toldOf(connection);
    const earlier = told.userId;
    told.userId = undefined;
    await this.leave(connection, earlier);
    connection.unfollow(REDELIVERY);
    connection.endOtherRedeliveries();
    this.hub.identify(connection, { kind: 'anonymous' });
    this.endIfGone(connection);
  }

  /** @param ownerId secure mode: the user as whose task the connection may hear it */
  async subscribeTask(connection: Connection, taskId: string, since?: StreamPosition, ownerId?: string): Promise<Subscribed> {
    const channel = taskChannel(taskId);
    const query = {
      scope: await this.access.scopeOf(connection.identity),
      taskId,
      state: 'pending',
      limit: TASK_PENDING_ROWS,
    } as const;
    // Only ids are kept: what the prompts show may be large.
    const pendingIds = async (): Promise<string[]> => {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await this.engine.list({ ...query, cursor });
        ids.push(...page.items.map(({ callbackId }) => callbackId));
        cursor = page.cursor;
      } while (cursor !== undefined && ids.length < MAX_TASK_PENDING);
      return ids;
    };
    const read = async (): Promise<Reading> => {
      const [position, pending] = await Promise.all([
        this.engine.position(channel),
        this.hub.readPending(async (decided) => without(decided, await pendingIds())),
      ]);
      return { position, pending };
    };
    return this.joinOneMore(connection, channel, since, read, ownerId);
  }

  async subscribeChannel(connection: Connection, channel: string, since?: StreamPosition): Promise<Subscribed> {
    const read = async (): Promise<Reading> => ({ position: await this.engine.position(channel), pending: [] });
    return this.joinOneMore(connection, channel, since, read);
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

  /** Takes back what a refused frame began: the client has not been given the epochs. */
  async abandon(connection: Connection, channels: readonly string[]): Promise<void> {
    const begun = channels.filter((channel) => connection.subscriptions.has(channel));
    for (const channel of begun) this.hub.unsubscribe(connection, channel);
    // The identity stays, and with it what it hears.
    const own = connection.userId === undefined ? undefined : userChannel(connection.userId);
    for (const channel of begun) if (channel !== own) await this.unwatch(connection, channel);
  }

  /**
   * Subscribes to where `read` finds the channel; what is published meanwhile waits for that. A subscription that is there
   * already goes on where it is, unless `since` restarts it.
   * @returns up to where the connection has what there is, or will be given it after the reply
   */
  private async join(
    connection: Connection,
    channel: string,
    since: StreamPosition | undefined,
    read: () => Promise<Reading>,
    ownerId?: string,
  ): Promise<Subscribed> {
    const begun = this.hub.subscribe(connection, channel, ownerId);
    try {
      const { position: head, pending } = await read();
      const subscription = connection.subscriptions.get(channel);
      if (!subscription) return { channel, ...(since ?? head), pending }; // The connection is gone.
      subscription.ownerId = ownerId;
      return { channel, ...this.recoveries.afterReply(connection, channel, subscription, head, since), pending };
    } catch (error) {
      if (begun && connection.subscriptions.get(channel) === begun) this.hub.unsubscribe(connection, channel);
      throw error;
    } finally {
      this.endIfGone(connection);
    }
  }

  /** Subscribes if the connection is below `maxSubscriptions`; its identity counts as one. A failed attempt does not count. */
  private async joinOneMore(
    connection: Connection,
    channel: string,
    since: StreamPosition | undefined,
    read: () => Promise<Reading>,
    ownerId?: string,
  ): Promise<Subscribed> {
    const { channels } = this.toldOf(connection);
    const { maxSubscriptions } = this.options;
    if (!channels.has(channel) && channels.size >= maxSubscriptions)
      throw new NotificationError('FORBIDDEN', `a connection has at most ${maxSubscriptions} subscriptions`);
    await this.watch(connection, channel);
    try {
      return await this.join(connection, channel, since, read, ownerId);
    } catch (error) {
      if (!connection.subscriptions.has(channel)) await this.unwatch(connection, channel).catch(() => undefined);
      throw error;
    }
  }

  /** The user's channel is watched already. What waits for the user is shown after the next reply. */
  private async enter(connection: Connection, identity: Identity & { kind: 'user' }): Promise<Reading> {
    const { userId } = identity;
    await this.count(connection, userId);
    this.hub.identify(connection, identity);
    // Read once the connection hears of decisions: none of these can be decided behind its back.
    const settled = connection.beginRedelivery();
    try {
      return await this.hub.readPending(async (decided) => {
        const waiting = await this.engine.waiting(userId);
        connection.followReplyWith(REDELIVERY, redeliver(this.engine, connection, userId, waiting, settled));
        connection.endOtherRedeliveries(settled);
        return { position: waiting.position, pending: without(decided, waiting.pendingIds) };
      });
    } catch (error) {
      connection.endRedelivery(settled);
      throw error;
    }
  }

  /** The engine counts the connection as the user's; it hears of the new state before the old one is taken back. */
  private async count(connection: Connection, userId: string): Promise<void> {
    const earlier = this.toldOf(connection).userId;
    if (earlier === userId) return;
    await this.engine.connect(connection.id, userId);
    this.toldOf(connection).userId = userId;
    await this.leave(connection, earlier);
    this.describe(connection);
  }

  /** Lets every node know of the connection: when it becomes a user's, at its first pong, and once a minute after that. */
  describe(connection: Connection): void {
    const told = this.told.get(connection);
    const { connectedAt, address, roundTripMs, isOpen } = connection;
    if (told?.userId === undefined || !isOpen) return;
    const { described } = told;
    const isNews = described?.userId !== told.userId || (described.roundTripMs === undefined && roundTripMs !== undefined);
    if (!isNews && performance.now() < described.at + DESCRIBE_EVERY_MS) return;
    told.described = { userId: told.userId, roundTripMs, at: performance.now() };
    this.engine
      .describe(connection.id, told.userId, { connectedAt, address, roundTripMs })
      .catch((error: unknown) => this.logger.debug(`describing a connection failed: ${String(error)}`));
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
    const known = this.told.get(connection);
    if (known) return known;
    const told: Told = { channels: new Set() };
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

/** The prompts that are open, without those whose decision was told while they were read. */
function without(decided: ReadonlySet<string>, callbackIds: string[]): string[] {
  return callbackIds.filter((callbackId) => !decided.has(callbackId));
}
