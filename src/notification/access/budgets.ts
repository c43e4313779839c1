/**
 * One budget per identity, `rateLimit` a second and `rateBurst` at once, over its sockets and REST calls. It belongs to
 * the identity and not to a connection, so a reconnect does not renew it. Each node, and each worker, keeps its own.
 *
 *  1. The identity is the user, the API key or the service; for an anonymous connection, a caller in open mode and a
 *     caller that failed to authenticate it is the network (`networkOf`).
 *  2. In open mode a client names its user itself. A network may spend ten budgets on such names, so that naming another
 *     user for each connection does not evade the limit, and many users behind one address are still served.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ResolvedOptions } from '../notification.options.js';
import type { Principal } from './access.js';
import { networkOf } from './address-limits.js';
import { Buckets } from './buckets.js';
import type { TokenBucket } from '../pacing/token-bucket.js';

const BUDGETS_PER_NETWORK = 10;

export type BudgetSettings = Pick<ResolvedOptions, 'rateLimit' | 'rateBurst' | 'authenticator'>;

@Injectable()
export class Budgets {
  private readonly users: Buckets;
  private readonly others: Buckets;
  private readonly networks: Buckets;
  private readonly isOpen: boolean;

  constructor(@Inject(ResolvedOptions) { rateLimit, rateBurst, authenticator }: BudgetSettings) {
    this.users = new Buckets(rateLimit, rateBurst);
    this.others = new Buckets(rateLimit, rateBurst);
    this.networks = new Buckets(rateLimit * BUDGETS_PER_NETWORK, rateBurst * BUDGETS_PER_NETWORK);
    this.isOpen = authenticator === undefined;
  }

  /** Takes one frame or call. `false`: the budget is spent. */
  take(principal: Principal, address: string): boolean {
    if (!this.bucketOf(principal, address).take()) return false;
    return !this.isOpen || principal.kind !== 'user' || this.networks.take(networkOf(address));
  }

  /** Charges `frames`. The budget may become negative; later frames are refused until it has recovered. */
  owe(principal: Principal, address: string, frames: number): void {
    this.bucketOf(principal, address).owe(frames);
  }

  /** Until the budget has something to take again, in milliseconds. */
  waitMs(principal: Principal, address: string): number {
    return this.bucketOf(principal, address).waitMs();
  }

  private bucketOf(principal: Principal, address: string): TokenBucket {
    if (principal.kind === 'user') return this.users.of(principal.userId);
    if (principal.kind === 'service' && principal.keyHash !== undefined) return this.others.of(`key ${principal.keyHash}`);
    // A service's token may connect as a user of that name: it is one identity.
    if (principal.kind === 'service' && principal.id !== undefined) return this.users.of(principal.id);
    return this.others.of(`network ${networkOf(address)}`);
  }
}
