/**
 * Registers each connection with the engine as its user's, and starts the redelivery.
 *
 *  1. The engine knows the new identity before the old one is given up, so that no event passes by in between.
 *  2. A connection becomes a user's without a subscription to the user's channel. It gets the channel's publications, and
 *     gets them with positions once a reply to `subscribe` has given it the epoch.
 *  3. A registration ends when the connection changes its identity or closes. `release` is the one undo.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { userChannel } from '../../protocol/channels.js';
import type { Connection, Identity } from '../connection/connection.js';
import { factsOf } from '../connection/connection-facts.js';
import { endingWith } from '../connection/frame-source.js';
import { Hub } from '../connection/hub.js';
import { Engine, EVERYTHING } from '../engine/engine.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { REDELIVERY, redeliver } from './redelivery.js';
import { SubscriptionIndex } from './subscription-index.js';
import type { ChannelState } from './subscription.js';
import { performance } from '../pacing/time-source.js';

export type UserIdentity = Identity & { kind: 'user' };

/** What the engine knows of a connection: the channel that it watches for its identity, and the user that it counts for. */
interface Registration {
  readonly channel: string;
  /** Absent: anonymous. */
  readonly userId?: string;
  /** The engine's last description of the connection. */
  described?: { roundTripMs: number | undefined; at: number };
}

const DESCRIBE_EVERY_MS = 60_000;

@Injectable()
export class Identities {
  private readonly logger = new Logger(Identities.name);
  private readonly registrations = new Map<Connection, Registration>();

  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
    private readonly index: SubscriptionIndex,
    private readonly metrics: NotificationMetrics,
  ) {}

  /** Makes the connection a user's. After the next reply it is shown what waits for that user. @throws EngineUnavailableError */
  async becomeUser(connection: Connection, identity: UserIdentity): Promise<ChannelState> {
    const { userId } = identity;
    await this.register(connection, userChannel(userId), userId);
    this.hub.identify(connection, identity);
    // Begun once the connection gets the user's events: from here on every decision is noted.
    const changes = connection.changes.begin();
    try {
      const waiting = await this.engine.waiting(userId);
      const source = redeliver(this.engine, connection, userId, waiting, changes);
      connection.followReplyWith(
        REDELIVERY,
        endingWith(source, () => changes.end()),
      );
      return { position: waiting.position, pending: waiting.pendingIds };
    } catch (error) {
      changes.end();
      throw error;
    }
  }

  /** Makes the connection anonymous, or registers a new one as such. @throws EngineUnavailableError */
  async becomeAnonymous(connection: Connection): Promise<void> {
    await this.register(connection, EVERYTHING);
    connection.unfollow(REDELIVERY);
    this.hub.identify(connection, { kind: 'anonymous' });
  }

  /** Describes the connection to every node: when it becomes a user's, after its first pong, and once a minute after that. */
  describe(connection: Connection): void {
    const registration = this.registrations.get(connection);
    if (registration?.userId === undefined || !connection.isOpen) return;
    const { userId, described } = registration;
    const roundTripMs = connection.roundTrips.lastMs;
    const isNews = !described || (described.roundTripMs === undefined && roundTripMs !== undefined);
    if (!isNews && performance.now() < described.at + DESCRIBE_EVERY_MS) return;
    const { openedAt: connectedAt, address, roundTripSpreadMs, queueBytes } = factsOf(connection);
    registration.described = { roundTripMs, at: performance.now() };
    this.engine.presence
      .describe(connection.id, userId, { connectedAt, address, roundTripMs, roundTripSpreadMs, queueBytes })
      .catch((error: unknown) => this.logger.debug(`a connection could not be described: ${String(error)}`));
  }

  private async register(connection: Connection, channel: string, userId?: string): Promise<void> {
    if (this.registrations.get(connection)?.channel === channel) return;
    const registration: Registration = { channel, userId };
    try {
      await this.engine.broker.watch(channel);
      if (userId !== undefined && (await this.engine.presence.connect(connection.id, userId)).reconnected)
        this.metrics.reconnects.inc();
    } catch (error) {
      await this.release(connection, registration);
      throw error;
    }
    const earlier = this.registrations.get(connection);
    this.registrations.set(connection, registration);
    if (earlier) {
      await this.release(connection, earlier);
    } else {
      // Calls back at once if the connection has closed meanwhile.
      connection.onClosed(this.forget);
    }
    this.describe(connection);
  }

  private readonly forget = (connection: Connection): void => {
    const registration = this.registrations.get(connection);
    this.registrations.delete(connection);
    if (registration) void this.release(connection, registration);
  };

  /** Undoes a registration, and ends the subscription to its user's channel. The engine itself repeats a step that fails. */
  private async release(connection: Connection, { channel, userId }: Registration): Promise<void> {
    if (userId !== undefined) void this.index.get(connection, channel)?.end();
    const undone = await Promise.allSettled([
      userId === undefined ? undefined : this.engine.presence.disconnect(connection.id, userId),
      this.engine.broker.unwatch(channel),
    ]);
    for (const step of undone)
      if (step.status === 'rejected') this.logger.debug(`an identity could not be taken back in time: ${String(step.reason)}`);
  }
}
