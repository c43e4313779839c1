/** Webhook events (E7), as the main thread offers them. */
import type { EventQueue, QueueCounts, WebhookEvent } from '../event-queue.js';
import { toWebhookEvent } from './rows.js';
import type { StoreClient } from './store-client.js';

export class StoredEvents implements EventQueue {
  constructor(private readonly client: StoreClient) {}

  async claim(limit: number, leaseMs: number): Promise<WebhookEvent[]> {
    return (await this.client.store.claimEvents(limit, leaseMs)).map(toWebhookEvent);
  }

  complete({ id }: WebhookEvent): Promise<boolean> {
    return this.client.store.completeEvent(id);
  }

  postpone({ id, attempt }: WebhookEvent, delayMs: number): Promise<boolean> {
    return this.client.store.postponeEvent(id, attempt, delayMs);
  }

  counts(): Promise<QueueCounts> {
    return this.client.store.eventCounts();
  }
}
