/**
 * Webhook events (E7), over all partitions.
 *
 *  1. Only partitions in `ripe` are asked for events. A new event puts its partition there on one node; the sweep of every
 *     node adds partitions in which an event has been waiting.
 *  2. A partition leaves `ripe` before it is asked, so that an event that comes meanwhile puts it back.
 */
import type { WebhookEventName } from '../../../../protocol/webhook-events.js';
import type { Emitter } from '../../emitter.js';
import type { EventQueue, QueueCounts, WebhookEvent } from '../../event-queue.js';
import { confirmationEvent, taskEvent } from '../../webhook-event.js';
import type { NodeRegistry } from '../cluster/node-registry.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { confirmation, taskOfEvent } from '../records.js';
import { text } from '../reply-decoder.js';
import {
  CLAIM_WEBHOOK_EVENTS,
  COMPLETE_WEBHOOK_EVENT,
  COUNT_WEBHOOK_EVENTS,
  POSTPONE_WEBHOOK_EVENT,
} from '../scripts/webhook-event.js';

type StoredEvent = ReturnType<(typeof CLAIM_WEBHOOK_EVENTS)['decode']>['events'][number];

export class RedisEvents implements EventQueue {
  private readonly ripe = new Set<number>();

  /** @param isWanted whether this node has webhook events stored at all */
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly nodes: NodeRegistry,
    private readonly emitter: Emitter,
    private readonly isWanted: boolean,
  ) {}

  /** Something happened. Every node learns of it; the node whose turn the partition is asks at once. */
  onEvent(partition: number): void {
    if (this.nodes.isTurn(partition)) this.ripen(partition);
  }

  /** The partition may have events that nobody holds. */
  ripen(partition: number): void {
    if (!this.isWanted) return;
    this.ripe.add(partition);
    this.emitter.emit((handler) => handler.onWebhookEvents());
  }

  dropped(count: number): void {
    if (count > 0) this.emitter.emit((handler) => handler.onWebhookEventsDropped(count));
  }

  async claim(limit: number, leaseMs: number): Promise<WebhookEvent[]> {
    const claimed: WebhookEvent[] = [];
    for (const partition of [...this.ripe]) {
      if (claimed.length >= limit) break;
      this.ripe.delete(partition);
      try {
        const { events, more, givenUp } = await this.runner.run(CLAIM_WEBHOOK_EVENTS, partition, {
          limit: limit - claimed.length,
          lease: leaseMs,
        });
        if (more) this.ripe.add(partition);
        this.dropped(givenUp);
        claimed.push(...events.map(toWebhookEvent));
      } catch (error) {
        this.ripe.add(partition);
        // The events claimed before stay leased.
        if (claimed.length === 0) throw error;
        break;
      }
    }
    return claimed;
  }

  complete(event: WebhookEvent): Promise<boolean> {
    return this.runner.run(COMPLETE_WEBHOOK_EVENT, this.partitionOf(event), { id: event.id });
  }

  postpone(event: WebhookEvent, delayMs: number): Promise<boolean> {
    const { id, attempt } = event;
    return this.runner.run(POSTPONE_WEBHOOK_EVENT, this.partitionOf(event), { id, attempt, delay: delayMs });
  }

  async counts(): Promise<QueueCounts> {
    const counts = await Promise.all(
      this.partitions.all.map((partition) => this.runner.run(COUNT_WEBHOOK_EVENTS, partition, {})),
    );
    const ages = counts.flatMap(({ oldestMs }) => oldestMs ?? []);
    return {
      waiting: counts.reduce((sum, { waiting }) => sum + waiting, 0),
      ...(ages.length > 0 && { oldestMs: Math.max(...ages) }),
    };
  }

  private partitionOf({ subject }: WebhookEvent): number {
    if (subject.kind === 'task') return this.partitions.of(subject.task.taskId);
    return this.partitions.ofCallback(subject.confirmation.callbackId) ?? 0;
  }
}

function toWebhookEvent({ id, attempt, at, event, kind, payload }: StoredEvent): WebhookEvent {
  const envelope = { id, attempt, at };
  if (kind === 'confirmation') return confirmationEvent(envelope, confirmation(payload), event as WebhookEventName | undefined);
  const task = taskOfEvent(JSON.parse(text(payload)));
  if (!task) throw new TypeError(`webhook event ${id} is of no task`);
  return taskEvent(envelope, task);
}
