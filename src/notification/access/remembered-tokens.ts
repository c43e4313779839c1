/**
 * The users of tokens that were verified, by a hash of the token, so that a token is not verified again at each connect.
 * Those that were used last are remembered, at least half of `REMEMBERED` and at most all of it, in two generations. The
 * tokens themselves are not kept.
 */
import { createHash } from 'node:crypto';
import type { AuthenticatedUser } from './authenticator.js';
import { Date } from '../pacing/time-source.js';

const REMEMBERED = 20_000;

export type VerifiedUser = AuthenticatedUser & { expiresAt: number };

export class RememberedTokens {
  private recent = new Map<string, VerifiedUser>();
  private earlier: ReadonlyMap<string, VerifiedUser> = new Map();
  private counts = (): boolean => true;

  /** @returns the token's user, unless the token has ended or is not known; otherwise what `verify` says of it */
  async userOf(token: string, verify: () => Promise<VerifiedUser | undefined>): Promise<VerifiedUser | undefined> {
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.recent.get(hash) ?? this.earlier.get(hash);
    if (known && known.expiresAt > Date.now() && this.counts()) return known;
    const generation = this.recent;
    const user = await verify();
    // A key may have changed while the token was verified.
    if (user && generation === this.recent) this.keep(hash, user);
    return user;
  }

  /** @param counts whether the keys are up to date; while they are not, every token is verified */
  countsWhile(counts: () => boolean): void {
    this.counts = counts;
  }

  /** The keys may have changed: every token is verified again. */
  clear(): void {
    this.recent = new Map();
    this.earlier = new Map();
  }

  private keep(hash: string, user: VerifiedUser): void {
    if (this.recent.size >= REMEMBERED / 2) {
      this.earlier = this.recent;
      this.recent = new Map();
    }
    this.recent.set(hash, user);
  }
}
