/**
 * Asks again whether a connection may still hear what it is subscribed to, and ends what was refused.
 *
 *  1. When: after `reviewAccess(userId)`, at every renewal of the token, and every few minutes. A subscribe asks for its
 *     own channel (`mustHear`).
 *  2. A subscription that is refused ends, and the client gets `unsubscribed` with a reason. If the policy cannot be
 *     asked, the subscription ends as well (`unavailable`), and the rest of the connection goes on.
 *  3. A connection whose token has ended or was revoked is closed.
 */
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { parseChannel, type ParsedChannel } from '../../protocol/channels.js';
import { CLOSE } from '../../protocol/codes.js';
import type { SubscriptionEnded } from '../../protocol/messages.js';
import { Access } from '../access/access.js';
import { Rights } from '../access/rights.js';
import { Tokens } from '../access/token-verifier.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { Hub } from '../connection/hub.js';
import { TimerWheel, type WheelTimer } from '../pacing/timer-wheel.js';
import { Engine } from '../engine/engine.js';
import { EngineUnavailableError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { Date } from '../pacing/time-source.js';

/** Of one connection; an application's policy may ask a database. */
const QUESTIONS_AT_ONCE = 16;
/** While the engine is away. */
const AGAIN_MS = 10_000;

@Injectable()
export class Reviewer implements OnModuleInit {
  private readonly logger = new Logger(Reviewer.name);
  private readonly timers = new WeakMap<Connection, WheelTimer>();

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Engine) private readonly engine: Engine,
    private readonly access: Access,
    private readonly rights: Rights,
    private readonly tokens: Tokens,
    private readonly hub: Hub,
    private readonly subscriptions: Subscriptions,
    private readonly wheel: TimerWheel,
  ) {}

  onModuleInit(): void {
    this.rights.reviews$.subscribe((userId) => {
      for (const connection of [...this.hub.ofUser(userId)]) void this.reviewQuietly(connection);
    });
  }

  /** Secure mode: asks again every few minutes, until `stop`. */
  start(connection: Connection): void {
    this.stop(connection);
    this.schedule(connection, this.options.accessReviewMs * (0.75 + Math.random() / 4));
  }

  stop(connection: Connection): void {
    this.timers.get(connection)?.cancel();
  }

  /**
   * Secure mode: whether the connection may hear a channel.
   * @returns whose a task is
   * @throws NotificationError FORBIDDEN, NOT_FOUND, UNAVAILABLE
   */
  async mustHear({ identity }: Connection, target: ParsedChannel): Promise<string | undefined> {
    if (this.access.isOpen || target.kind === 'broadcast') return undefined;
    if (target.kind === 'task') {
      const task = await this.engine.getTask(target.taskId);
      await this.access.assertCanReach(identity, task?.userId ?? null, 'task');
      return task?.userId ?? undefined;
    }
    if (target.kind === 'user') this.access.assertIsUser(identity, target.userId);
    else await this.access.assertCanSubscribe(identity, target.name);
    return undefined;
  }

  /** Asks for everything the connection is subscribed to. @throws EngineUnavailableError */
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
    const channels = [...connection.subscriptions.keys()];
    while (channels.length > 0)
      await Promise.all(channels.splice(0, QUESTIONS_AT_ONCE).map((channel) => this.reviewChannel(connection, channel)));
  }

  /** Ends a standing subscription to what was just refused. */
  async endRefused(connection: Connection, channel: string, refusal: unknown): Promise<void> {
    if (!connection.subscriptions.has(channel)) return;
    const code = refusal instanceof NotificationError ? refusal.code : 'UNAVAILABLE';
    const reason = code === 'FORBIDDEN' || code === 'NOT_FOUND' ? 'forbidden' : 'unavailable';
    const ending = this.subscriptions.unsubscribe(connection, channel);
    connection.send(new OutboundFrame({ type: 'unsubscribed', channel, reason } satisfies SubscriptionEnded));
    try {
      await ending;
    } catch (error) {
      this.logger.warn(`telling the engine of an ended subscription failed: ${String(error)}`);
    }
  }

  private async reviewChannel(connection: Connection, channel: string): Promise<void> {
    try {
      await this.mustHear(connection, parseChannel(channel));
    } catch (error) {
      // Nothing was refused: it is asked again soon.
      if (error instanceof EngineUnavailableError) throw error;
      await this.endRefused(connection, channel, error);
    }
  }

  private schedule(connection: Connection, delayMs: number): void {
    if (!connection.isOpen) return;
    const timer = this.wheel.schedule(delayMs, () => {
      void this.reviewQuietly(connection).then((reviewed) => {
        // Renewed or closed meanwhile: another timer runs, or none is needed.
        if (this.timers.get(connection) !== timer) return;
        if (reviewed) this.start(connection);
        else this.schedule(connection, AGAIN_MS);
      });
    });
    this.timers.set(connection, timer);
  }

  /** @returns whether it could be asked */
  private async reviewQuietly(connection: Connection): Promise<boolean> {
    try {
      await this.review(connection);
      return true;
    } catch (error) {
      this.logger.warn(`the rights of a connection could not be reviewed: ${String(error)}`);
      return false;
    }
  }
}
