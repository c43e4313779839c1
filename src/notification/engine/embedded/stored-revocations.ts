/**
 * Revocations, as the main thread offers them. Every handshake asks for one, so they are kept here as well, as long as they are
 * few. No other process changes the store.
 */
import type { Emitter } from '../emitter.js';
import type { Revocations } from '../revocations.js';
import type { StoreClient } from './store-client.js';

/** With more revocations each one is read from the store. */
const FEW_REVOCATIONS = 10_000;

export class StoredRevocations implements Revocations {
  /** By user. Absent: they are too many, or the store has not been opened. */
  private known: Map<string, number> | undefined;

  constructor(
    private readonly client: StoreClient,
    private readonly emitter: Emitter,
  ) {}

  /** A thread has opened the store. @throws EngineUnavailableError; then they are read one by one */
  load(): Promise<void> {
    this.known = undefined;
    return this.client.call('allRevocations', [FEW_REVOCATIONS], (all) => {
      this.known = all && new Map(all);
    });
  }

  onRevoked(userId: string, revokedAt: number): void {
    this.known?.set(userId, revokedAt);
    if (this.known && this.known.size > FEW_REVOCATIONS) this.known = undefined;
    this.emitter.emit((handler) => handler.onRevoked(userId));
  }

  revoke(userId: string): Promise<number> {
    return this.client.store.revokeUser(userId);
  }

  async revokedAt(userId: string): Promise<number | undefined> {
    this.client.checkOpen();
    return this.known ? this.known.get(userId) : this.client.store.revokedAt(userId);
  }

  async review(userId: string): Promise<void> {
    this.client.checkOpen();
    this.emitter.emit((handler) => handler.onReview(userId));
  }
}
