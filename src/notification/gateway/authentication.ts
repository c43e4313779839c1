/**
 * Gives a new connection its identity before its first frame, and closes it when its token ends.
 *
 * Open mode: the connection is anonymous. Secure mode: it is the user of the token in the handshake; without one it is
 * unauthenticated and has some seconds to send `authenticate`.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Tokens } from '../access/token-verifier.js';
import { CLOSE } from '../../protocol/codes.js';
import type { Connection } from '../connection/connection.js';
import { Hub } from '../connection/hub.js';
import { QuietLog } from '../pacing/quiet-log.js';
import { TimerWheel } from '../pacing/timer-wheel.js';
import { EngineUnavailableError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { AccessReview } from '../subscription/access-review.js';
import { Identities, type UserIdentity } from '../subscription/identities.js';
import { SubscriptionIndex } from '../subscription/subscription-index.js';
import { identityOf } from './handshake.js';
import { Places } from './places.js';
import { Date, delay } from '../pacing/time-source.js';

/** How long a new connection waits for the engine, and how often it asks. */
const BEGIN_WITHIN_MS = 2000;
const BEGIN_RETRY_MS = 50;

@Injectable()
export class Authentication {
  private readonly logger = new Logger(Authentication.name);
  private readonly failures = new QuietLog((message) => this.logger.error(message));

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly tokens: Tokens,
    private readonly places: Places,
    private readonly hub: Hub,
    private readonly index: SubscriptionIndex,
    private readonly identities: Identities,
    private readonly review: AccessReview,
    private readonly wheel: TimerWheel,
  ) {}

  /** Begins a new connection. No frame is handled before that has succeeded; if it fails, the connection is closed. */
  async begin(connection: Connection): Promise<void> {
    const { identity } = connection;
    if (identity.kind === 'unauthenticated') {
      this.closeUnauthenticatedIn(connection, this.options.authenticationTimeoutMs);
      return;
    }
    try {
      await connection.incoming.begin(() => this.whileEngineReturns(connection, () => this.identify(connection)));
    } catch (error) {
      const reason = String(error);
      this.failures.log(reason, `a new connection could not be served: ${reason}`);
      await connection.close(CLOSE.INTERNAL);
    }
  }

  /**
   * Checks a token that the client sends: its first one, or a new one of the same user.
   * @throws NotificationError UNAUTHENTICATED, FORBIDDEN (another user's token), BUSY (the node is full), INVALID_MESSAGE (open mode)
   */
  async authenticate(connection: Connection, token: string): Promise<UserIdentity> {
    const { address, request, userId } = connection;
    if (!this.options.authenticator)
      throw new NotificationError('INVALID_MESSAGE', 'this server has no authentication: name yourself with subscribe');
    const { announcements } = this.tokens;
    const user = await this.tokens.check(token, address, request);
    if (!user) throw new NotificationError('UNAUTHENTICATED', 'invalid token');
    if (userId !== undefined && userId !== user.userId)
      throw new NotificationError('FORBIDDEN', 'this connection is somebody else');
    const identity = identityOf(user, announcements);
    if (userId === undefined) {
      await this.assertPlace(connection);
      await this.identities.becomeUser(connection, identity);
    } else {
      // What the earlier token allowed is asked again, and costs as much as the subscriptions did.
      this.hub.identify(connection, identity);
      connection.charge(this.index.of(connection).size);
      await this.review.review(connection);
    }
    await this.watchToken(connection, identity);
    return identity;
  }

  /** The connection is the user of its token, or anonymous, without a reply: no frame has asked for it. */
  private async identify(connection: Connection): Promise<void> {
    const { identity } = connection;
    if (identity.kind !== 'user') return this.identities.becomeAnonymous(connection);
    await this.identities.becomeUser(connection, identity);
    connection.startFollowing();
    await this.watchToken(connection, identity);
  }

  /** Repeats `work` while the engine is away, as long as the connection is new. */
  private async whileEngineReturns(connection: Connection, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        const mayWait = connection.isOpen && Date.now() < connection.connectedAt + BEGIN_WITHIN_MS;
        if (!(error instanceof EngineUnavailableError) || !mayWait) throw error;
        await delay(BEGIN_RETRY_MS);
      }
    }
  }

  private async assertPlace(connection: Connection): Promise<void> {
    if (await this.places.promote(connection)) return;
    void connection.close(CLOSE.CONNECTION_LIMIT);
    throw new NotificationError('BUSY', CLOSE.CONNECTION_LIMIT.reason);
  }

  /** Closes the connection when its token expires, or at once if it was revoked while the connection became the user's. */
  private async watchToken(connection: Connection, identity: UserIdentity): Promise<void> {
    this.closeUnauthenticatedIn(connection, identity.expiresAt === undefined ? undefined : identity.expiresAt - Date.now());
    this.review.start(connection);
    // From now on the connection is closed by the event itself.
    if (identity.announcements === this.tokens.announcements) return;
    if (await this.tokens.isRevoked(identity)) connection.cut(CLOSE.REVOKED);
  }

  /** Replaces the deadline of an earlier token. @param delayMs `undefined`: never */
  private closeUnauthenticatedIn(connection: Connection, delayMs: number | undefined): void {
    connection.timers.drop('authentication');
    if (delayMs === undefined) return;
    connection.timers.keep('authentication', this.wheel.schedule(delayMs, closeUnauthenticated, connection));
  }
}

const closeUnauthenticated = (connection: Connection): void => void connection.close(CLOSE.UNAUTHENTICATED);
