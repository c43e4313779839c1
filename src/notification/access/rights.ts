/**
 * Ends long polls and triggers reviews when a user's rights end or change.
 *
 *  1. A long poll holds on to its caller's rights (`hold`): the hold's signal aborts when the user is revoked, the token
 *     ends or the user's access is reviewed. Afterwards `assertStanding` says whether the token still counts.
 *  2. `reviews$` emits the users whose rights are to be asked again on this node: at once after `reviewAccess`.
 */
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { TimerWheel } from '../pacing/timer-wheel.js';
import { NotificationError } from '../notification.errors.js';
import type { AuthenticatedUser } from './authenticator.js';
import { Tokens } from './token-verifier.js';
import { Date } from '../pacing/time-source.js';

/** The token that a caller's rights rest on. */
export type Proof = Pick<AuthenticatedUser, 'userId' | 'expiresAt' | 'issuedAt'>;

export interface Hold {
  /** Aborts when the rights have to be asked again. */
  readonly signal: AbortSignal;
  release(): void;
}

@Injectable()
export class Rights implements OnApplicationShutdown {
  private readonly reviews = new Subject<string>();
  private readonly holds = new Map<string, Set<() => void>>();

  constructor(
    @Inject(Tokens) private readonly tokens: Pick<Tokens, 'isRevoked' | 'announcements'>,
    private readonly wheel: TimerWheel,
  ) {}

  /** Users whose connections' rights are to be asked again. */
  get reviews$(): Observable<string> {
    return this.reviews.asObservable();
  }

  /** Ends the long polls of a revoked user. The dispatcher closes the connections. */
  onRevoked(userId: string): void {
    this.tokens.announcements += 1;
    for (const end of [...(this.holds.get(userId) ?? [])]) end();
  }

  /** Revocations may have been missed. */
  onGap(): void {
    this.tokens.announcements += 1;
  }

  /** Asks for the user's rights again: they may have changed. */
  onReview(userId: string): void {
    this.reviews.next(userId);
    this.onRevoked(userId);
  }

  /** @param proof absent for callers whose rights do not end: API keys and open mode */
  hold(proof: Proof | undefined): Hold {
    const ended = new AbortController();
    if (!proof) return { signal: ended.signal, release: () => undefined };
    const { userId, expiresAt } = proof;
    const end = (): void => ended.abort();
    const own = this.holds.get(userId) ?? new Set();
    this.holds.set(userId, own.add(end));
    const timer = expiresAt === undefined ? undefined : this.wheel.schedule(expiresAt - Date.now(), end);
    return {
      signal: ended.signal,
      release: () => {
        timer?.cancel();
        if (own.delete(end) && own.size === 0 && this.holds.get(userId) === own) this.holds.delete(userId);
      },
    };
  }

  /** @throws NotificationError UNAUTHENTICATED when the token has ended or its user was revoked */
  async assertStanding(proof: Proof | undefined): Promise<void> {
    if (!proof) return;
    if ((proof.expiresAt ?? Infinity) <= Date.now()) throw new NotificationError('UNAUTHENTICATED', 'the token has ended');
    if (await this.tokens.isRevoked(proof)) throw new NotificationError('UNAUTHENTICATED', 'the token was revoked');
  }

  onApplicationShutdown(): void {
    this.reviews.complete();
  }
}
