/**
 * Checks tokens, wherever one comes in: handshake, `authenticate` frame, REST. The authenticator says what a token is
 * worth; here revocations are looked up, failures counted by address, and a check that fails is told from a token that does.
 */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { isIdentifier } from '../../protocol/identifier.js';
import { Engine } from '../engine/engine.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions, type AuthenticatedUser } from '../notification.options.js';
import { Addresses } from './address.js';

@Injectable()
export class Tokens {
  private readonly logger = new Logger(Tokens.name);

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Engine) private readonly engine: Engine,
    private readonly addresses: Addresses,
  ) {}

  /**
   * @returns `undefined` when the token is not valid
   * @throws NotificationError RATE_LIMITED after too many failures from one address, UNAVAILABLE when the check itself fails
   */
  async check(token: string, request: IncomingMessage): Promise<AuthenticatedUser | undefined> {
    const address = this.addresses.of(request);
    if (this.addresses.isSuspicious(address)) throw new NotificationError('RATE_LIMITED', 'too many failed authentications');
    const user = await this.authenticate(token, request);
    if (!user) this.addresses.failed(address);
    return user;
  }

  /** Whether the token was issued before its user was revoked, or does not say when it was. */
  async isRevoked({ userId, issuedAt = 0 }: Pick<AuthenticatedUser, 'userId' | 'issuedAt'>): Promise<boolean> {
    const revokedAt = await this.engine.revokedAt(userId);
    return revokedAt !== undefined && issuedAt <= revokedAt;
  }

  private async authenticate(token: string, request: IncomingMessage): Promise<AuthenticatedUser | undefined> {
    try {
      const user = await this.options.authenticator?.authenticate(token, request);
      // What names nobody, or in a store somebody else, is nobody.
      if (!user || !isIdentifier(user.userId) || (user.expiresAt !== undefined && !(user.expiresAt > Date.now())))
        return undefined;
      return (await this.isRevoked(user)) ? undefined : user;
    } catch (error) {
      // The message only: an error's fields may hold the token.
      this.logger.error(`checking a token failed: ${error instanceof Error ? error.message : 'unknown error'}`);
      throw new NotificationError('UNAVAILABLE', 'tokens cannot be checked');
    }
  }
}
