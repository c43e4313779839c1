/**
 * Checks tokens: from a handshake, an `authenticate` frame or a REST call.
 *
 *  1. The authenticator maps a token to its user. This class checks the result of any authenticator (`isPlausible`), and
 *     looks up revocations.
 *  2. A valid token is never refused because others fail from the same address. After too many failures a token that
 *     fails gets RATE_LIMITED, and the address has at most `CHECKS_AT_ONCE` checks under way; the others wait in line.
 *  3. A check that cannot be made (UNAVAILABLE) is not a token that fails.
 */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { isIdentifier } from '../../protocol/identifier.js';
import { Revocations } from '../engine/revocations.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import type { AuthenticatedUser } from './authenticator.js';
import { Addresses } from './address-limits.js';
import { Lanes } from './lanes.js';
import { Date } from '../pacing/time-source.js';

/** Of one address with too many failures. */
const CHECKS_AT_ONCE = 8;
const MAX_WAITING_CHECKS = 2000;
/** The token issuer's clock may be ahead by this much. */
const CLOCK_SKEW_MS = 5000;
/** The end of the year 9999. A later moment is one in the wrong unit. */
const LATEST_MS = 253_402_300_799_999;

@Injectable()
export class Tokens {
  private readonly logger = new Logger(Tokens.name);
  /** How often a revocation, or a gap in which one may have been lost, was announced: what changes it makes older checks doubtful. */
  announcements = 0;
  /** Checks from addresses with too many failures. */
  private readonly suspicious = new Lanes(CHECKS_AT_ONCE, MAX_WAITING_CHECKS);

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Revocations) private readonly revocations: Revocations,
    private readonly addresses: Addresses,
  ) {}

  /**
   * @param request absent only for an authenticator that does not read it
   * @returns `undefined` when the token is not valid
   * @throws NotificationError RATE_LIMITED when it is not valid and too many from its address were not, BUSY when too
   *   many checks wait, UNAVAILABLE when the check itself fails
   */
  async check(token: string, address: string, request: IncomingMessage | undefined): Promise<AuthenticatedUser | undefined> {
    const isSuspicious = this.addresses.isSuspicious(address);
    const check = (): Promise<AuthenticatedUser | undefined> => this.authenticate(token, request);
    const user = isSuspicious ? await this.suspicious.run(address, check) : await check();
    if (user) return user;
    if (this.addresses.isSuspicious(address)) throw new NotificationError('RATE_LIMITED', 'too many failed authentications');
    this.addresses.failed(address);
    return undefined;
  }

  /** Whether the token was issued before its user was revoked, or does not say when it was. */
  async isRevoked({ userId, issuedAt = 0 }: Pick<AuthenticatedUser, 'userId' | 'issuedAt'>): Promise<boolean> {
    const revokedAt = await this.revocations.revokedAt(userId);
    return revokedAt !== undefined && issuedAt <= revokedAt;
  }

  private async authenticate(token: string, request: IncomingMessage | undefined): Promise<AuthenticatedUser | undefined> {
    try {
      const user = await this.options.authenticator?.authenticate(token, request as IncomingMessage);
      if (!user || !isPlausible(user, Date.now())) return undefined;
      return (await this.isRevoked(user)) ? undefined : user;
    } catch (error) {
      // The message only: an error's fields may hold the token.
      this.logger.error(`checking a token failed: ${error instanceof Error ? error.message : 'unknown error'}`);
      throw new NotificationError('UNAVAILABLE', 'tokens cannot be checked');
    }
  }
}

/**
 * Whether an authenticator's result names a user and has times that can be compared. A token from the future would
 * survive a revocation, one whose end is not a moment would never end.
 */
export function isPlausible({ userId, expiresAt, issuedAt }: AuthenticatedUser, now: number): boolean {
  return (
    isIdentifier(userId) &&
    (expiresAt === undefined || (isMoment(expiresAt) && expiresAt > now)) &&
    (issuedAt === undefined || (isMoment(issuedAt) && issuedAt <= now + CLOCK_SKEW_MS))
  );
}

/** Typed as a number, but an application's authenticator may pass on any value that a token held. */
function isMoment(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= LATEST_MS;
}
