/** Revocations, as the main thread offers them. */
import type { Emitter } from '../emitter.js';
import type { Revocations } from '../revocations.js';
import type { StoreClient } from './store-client.js';

export class StoredRevocations implements Revocations {
  constructor(
    private readonly client: StoreClient,
    private readonly emitter: Emitter,
  ) {}

  revoke(userId: string): Promise<number> {
    return this.client.store.revokeUser(userId);
  }

  revokedAt(userId: string): Promise<number | undefined> {
    return this.client.store.revokedAt(userId);
  }

  async review(userId: string): Promise<void> {
    this.client.checkOpen();
    this.emitter.emit((handler) => handler.onReview(userId));
  }
}
