/**
 * Webhook events (E7), over all partitions.
 *
 *  1. Only partitions in `ripe` are asked for events. A new event puts its partition there on one node; the sweep of every
 *     node adds partitions in which an event has been waiting.
 *  2. A partition leaves `ripe` before it is asked, so that an event that comes meanwhile puts it back.
 */
import type { WebhookEventName } from '../../../../protocol/webhook-events.js';
import type * as Api from '../../engine.js';
import { confirmationEvent, taskEvent } from '../../webhook-event.js';
import type { Context } from '../context.js';
import { groups, list, maybe, text, toConfirmation, toTaskRecord, type Reply } from '../reply-decoder.js';
import { CLAIM_NOTICES, COMPLETE_NOTICE, COUNT_NOTICES, POSTPONE_NOTICE } from '../scripts/notice.js';
import type { Emitter } from '../../emitter.js';

export class RedisEvents implements Api.EventQueue {
  private readonly ripe = new Set<number>();

  constructor(
    private readonly context: Context,
    private readonly emitter: Emitter,
  ) {}

  /** Something happened. Every node learns of it; the node whose turn the partition is asks at once. */
  onEvent(partition: number): void {
    if (this.context.nodes.isTurn(partition)) this.ripen(partition);
  }

  /** The partition may have events that nobody holds. */
  ripen(partition: number): void {
    if (!this.context.settings.webhookEvents?.length) return;
    this.ripe.add(partition);
    this.emitter.emit((handler) => handler.onWebhookEvents());
  }

  dropped(count: number): void {
    if (count > 0) this.emitter.emit((handler) => handler.onWebhookEventsDropped(count));
  }

  async claim(limit: number, leaseMs: number): Promise<Api.WebhookEvent[]> {
    const claimed: Api.WebhookEvent[] = [];
    for (const partition of [...this.ripe]) {
      if (claimed.length >= limit) break;
      this.ripe.delete(partition);
      try {
        const [found, more, lost] = list(await this.context.run(CLAIM_NOTICES, partition, limit - claimed.length, leaseMs));
        if (maybe(more) === '1') this.ripe.add(partition);
        this.dropped(Number(text(lost)));
        for (const event of groups(found, 6)) claimed.push(toWebhookEvent(event));
      } catch (error) {
        this.ripe.add(partition);
        // The events claimed before stay leased.
        if (claimed.length === 0) throw error;
        break;
      }
    }
    return claimed;
  }

  async complete(event: Api.WebhookEvent): Promise<boolean> {
    return maybe(await this.context.run(COMPLETE_NOTICE, this.partitionOf(event), event.id)) === '1';
  }

  async postpone(event: Api.WebhookEvent, delayMs: number): Promise<boolean> {
    const { id, attempt } = event;
    return maybe(await this.context.run(POSTPONE_NOTICE, this.partitionOf(event), id, attempt, delayMs)) === '1';
  }

  async counts(): Promise<Api.QueueCounts> {
    const { partitions } = this.context;
    const replies = (await Promise.all(partitions.all.map((partition) => this.context.run(COUNT_NOTICES, partition)))).map(list);
    const oldest = replies.flatMap(([, moment]) => maybe(moment) ?? []).map(Number);
    return {
      waiting: replies.reduce((sum, [count]) => sum + Number(text(count)), 0),
      ...(oldest.length > 0 && { oldestAt: Math.min(...oldest) }),
    };
  }

  private partitionOf({ subject }: Api.WebhookEvent): number {
    const { partitions } = this.context;
    if (subject.kind === 'task') return partitions.of(subject.task.taskId);
    return partitions.ofCallback(subject.confirmation.callbackId) ?? 0;
  }
}

function toWebhookEvent([id, attempt, at, event, kind, payload]: readonly Reply[]): Api.WebhookEvent {
  const envelope = { id: text(id), attempt: Number(text(attempt)), at: Number(text(at)) };
  if (kind === 'confirmation')
    return confirmationEvent(envelope, toConfirmation(payload), maybe(event) as WebhookEventName | undefined);
  const [record, named] = list(JSON.parse(text(payload)));
  const { task } = toTaskRecord(record, named);
  if (!task) throw new TypeError(`webhook event ${envelope.id} is of no task`);
  return taskEvent(envelope, task);
}
