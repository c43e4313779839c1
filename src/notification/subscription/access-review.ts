/**
 * Asks whether a connection may hear a channel, and ends the subscriptions whose right has ended.
 *
 *  1. Rights are reviewed after `reviewAccess(userId)`, at every renewal of the token, and every few minutes. A `subscribe`
 *     asks for its own channel.
 *  2. A subscription that is refused ends, and the client gets `unsubscribed` with a reason. If the policy cannot be
 *     asked, the subscription ends as well (`unavailable`); the rest of the connection goes on.
 *  3. A connection whose token has expired or was revoked is closed.
 */
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { parseChannel, type Channel } from '../../protocol/channels.js';
import { CLOSE } from '../../protocol/codes.js';
import { Access } from '../access/access.js';
import { Rights } from '../access/rights.js';
import { Tokens } from '../access/token-verifier.js';
import type { Connection } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import { inParallel } from '../pacing/in-parallel.js';
import { QuietLog } from '../pacing/quiet-log.js';
import { TimerWheel } from '../pacing/timer-wheel.js';
import { TaskStore } from '../engine/task-store.js';
import { EngineUnavailableError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { SubscriptionIndex } from './subscription-index.js';
import type { Subscription } from './subscription.js';
import { Date } from '../pacing/time-source.js';

/** Concurrent policy calls for one connection: an application's policy may ask a database. */
const QUESTIONS_AT_ONCE = 16;
/** Between reviews while the engine is away. */
const RETRY_MS = 10_000;

@Injectable()
export class AccessReview implements OnModuleInit {
  private readonly logger = new Logger(AccessReview.name);
  private readonly failures = new QuietLog((message) => this.logger.warn(message));

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(TaskStore) private readonly tasks: TaskStore,
    private readonly access: Access,
    private readonly rights: Rights,
    private readonly tokens: Tokens,
    private readonly hub: Hub,
    private readonly index: SubscriptionIndex,
    private readonly wheel: TimerWheel,
  ) {}

  onModuleInit(): void {
    this.rights.reviews$.subscribe((userId) => {
      for (const connection of [...this.hub.ofUser(userId)]) void this.tryReview(connection);
    });
  }

  /** Secure mode: reviews the connection's rights every few minutes until it closes. A jitter spreads the reviews. */
  start(connection: Connection): void {
    this.schedule(connection, this.options.accessReviewMs * (0.75 + Math.random() / 4));
  }

  /**
   * Secure mode: whether the connection may hear a channel. A refusal also ends a subscription that it has.
   * @returns a task's user
   * @throws NotificationError FORBIDDEN, NOT_FOUND, UNAVAILABLE
   */
  async assertMaySubscribe(connection: Connection, channel: Channel): Promise<string | undefined> {
    try {
      return await this.ownerIfAllowed(connection, channel);
    } catch (error) {
      const subscription = this.index.get(connection, channel.name);
      if (subscription && !(error instanceof EngineUnavailableError)) await subscription.revoke(reasonOf(error));
      throw error;
    }
  }

  /** Reviews everything that the connection is subscribed to. @throws EngineUnavailableError after what could be reviewed */
  async review(connection: Connection): Promise<void> {
    const { identity } = connection;
    if (this.access.isOpen || identity.kind !== 'user' || !connection.isOpen) return;
    if ((identity.expiresAt ?? Infinity) <= Date.now()) {
      connection.cut(CLOSE.UNAUTHENTICATED);
      return;
    }
    if (await this.tokens.isRevoked(identity)) {
      connection.cut(CLOSE.REVOKED);
      return;
    }
    await inParallel(this.index.of(connection).values(), QUESTIONS_AT_ONCE, (subscription) => this.reviewOne(subscription));
  }

  private async reviewOne(subscription: Subscription): Promise<void> {
    try {
      await this.ownerIfAllowed(subscription.connection, parseChannel(subscription.channel));
    } catch (error) {
      // Nothing was refused, and the review is repeated soon.
      if (error instanceof EngineUnavailableError) throw error;
      await subscription.revoke(reasonOf(error));
    }
  }

  private async ownerIfAllowed({ identity }: Connection, channel: Channel): Promise<string | undefined> {
    if (this.access.isOpen || channel.kind === 'broadcast') return undefined;
    if (channel.kind === 'task') {
      const task = await this.tasks.get(channel.taskId);
      await this.access.assertCanReach(identity, task?.userId ?? null, 'task');
      return task?.userId ?? undefined;
    }
    if (channel.kind === 'user') this.access.assertIsUser(identity, channel.userId);
    else await this.access.assertCanSubscribe(identity, channel.name);
    return undefined;
  }

  private schedule(connection: Connection, delayMs: number): void {
    connection.timers.keep('access review', this.wheel.schedule(delayMs, this.onDue, connection));
  }

  private readonly onDue = (connection: Connection): void => {
    // The next review is certain before this one begins.
    this.start(connection);
    void this.tryReview(connection);
  };

  /** Reviews the connection, and again soon if the engine cannot be asked. */
  private async tryReview(connection: Connection): Promise<void> {
    try {
      await this.review(connection);
    } catch (error) {
      this.failures.log('review', `the rights of a connection could not be reviewed: ${String(error)}`);
      this.schedule(connection, RETRY_MS);
    }
  }
}

/** Why a subscription ends: it was refused, or the policy could not be asked. */
function reasonOf(error: unknown): 'forbidden' | 'unavailable' {
  const code = error instanceof NotificationError ? error.code : 'UNAVAILABLE';
  return code === 'FORBIDDEN' || code === 'NOT_FOUND' ? 'forbidden' : 'unavailable';
}
