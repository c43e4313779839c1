/**
 * Turns the engine's events into frames for this node's connections and results for its callers. There is no other way:
 * connections and callers of the node on which something happens get no short cut.
 */
import { Injectable, Logger } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { channelOfTask } from '../protocol/channels.js';
import { CLOSE } from '../protocol/codes.js';
import { Acknowledgements } from './subscription/acknowledgements.js';
import { AuditTrail } from './access/audit.js';
import { Rights } from './access/rights.js';
import { Confirmations } from './confirmation/confirmations.js';
import { acknowledgedFrame } from './subscription/redelivery.js';
import {
  confirmationResult,
  dismissedMessage,
  expiringMessage,
  promptMessage,
  resolvedMessage,
  type ConfirmationResult,
} from './confirmation/presentation.js';
import { IN_TIME_MS } from './engine/deadlines.js';
import { OutboundFrame } from './connection/frame.js';
import { Hub } from './connection/hub.js';
import type {
  AcknowledgedMessage,
  Confirmation,
  Decided,
  EngineHandler,
  Publication,
  StreamPosition,
  Task,
} from './engine/engine.js';
import { nodeCounts } from './metrics/node-report.js';
import { NotificationMetrics } from './notification.metrics.js';
import { SingleFlight } from './pacing/single-flight.js';
import { Date } from './pacing/time-source.js';
import { decisionAttributes, recordSent, startSpan, within } from './tracing/spans.js';
import { LogLine } from './tracing/log-line.js';
import { Delivery } from './subscription/delivery.js';
import { PendingPrompts } from './subscription/pending-prompts.js';
import { Recoveries } from './subscription/recoveries.js';
import { taskCancelledMessage } from './task/presentation.js';
import { Cancellations } from './task/cancellations.js';
import { Heartbeats } from './task/heartbeats.js';
import { WebhookSender } from './webhook/sender.js';

/** A decision as it is emitted on every node. */
export interface DecisionEvent extends ConfirmationResult {
  userId: string;
  taskId: string;
  step: number;
  /** Unix milliseconds. */
  decidedAt: number;
}

@Injectable()
export class Dispatcher implements EngineHandler {
  private readonly logger = new Logger('Dispatcher');
  private readonly decisions = new Subject<DecisionEvent>();
  private readonly rereading = new SingleFlight(() => this.reread());

  constructor(
    private readonly hub: Hub,
    private readonly delivery: Delivery,
    private readonly pending: PendingPrompts,
    private readonly confirmations: Confirmations,
    private readonly cancellations: Cancellations,
    private readonly heartbeats: Heartbeats,
    private readonly webhook: WebhookSender,
    private readonly metrics: NotificationMetrics,
    private readonly audit: AuditTrail,
    private readonly recoveries: Recoveries,
    private readonly rights: Rights,
    private readonly acknowledgements: Acknowledgements,
  ) {}

  get decisions$(): Observable<DecisionEvent> {
    return this.decisions.asObservable();
  }

  async describeNode(): Promise<string> {
    return JSON.stringify(await nodeCounts(this.metrics.registry));
  }

  onOpened(confirmation: Confirmation): void {
    this.pending.onOpened(confirmation);
    this.confirmations.checks.opened(confirmation);
    const startTime = Date.now();
    const frame = new OutboundFrame(promptMessage(confirmation, false));
    let reached = 0;
    for (const connection of this.hub.watching(confirmation.userId)) {
      connection.showOnce(confirmation.callbackId, frame);
      reached += 1;
    }
    this.metrics.messagesSent.inc(reached);
    if (reached > 0) recordSent(confirmation, reached, startTime);
  }

  onDecided(confirmation: Decided, isOurs: boolean): void {
    const { callbackId, decision } = confirmation;
    this.metrics.decided(confirmation, isLate(confirmation));
    if (decision.outcome === 'timed_out' && isOurs) {
      const { userId, taskId } = confirmation;
      const span = startSpan('settle', confirmation, { attributes: decisionAttributes(decision) });
      const line = new LogLine(`confirmation ${callbackId} timed out`, { callback_id: callbackId, task_id: taskId });
      within(span, () => this.logger.log(line));
      span?.end();
      this.audit.record({
        event: 'decision',
        by: null,
        means: 'clock',
        via: decision.via,
        what: 'timed_out',
        callbackId,
        userId,
        taskId,
      });
    }
    this.confirmations.settle(confirmation);
    this.pending.onDecided(callbackId);
    const frame = new OutboundFrame(resolvedMessage(confirmation));
    for (const connection of this.hub.watching(confirmation.userId)) {
      connection.changes.note(callbackId);
      connection.announce('confirmation', callbackId, frame);
    }
    if (this.decisions.observed) this.decisions.next(decisionEvent(confirmation));
  }

  onExpiring(confirmation: Confirmation): void {
    this.sendChanged(confirmation, new OutboundFrame(expiringMessage(confirmation)));
  }

  onDismissed(confirmation: Confirmation): void {
    this.sendChanged(confirmation, new OutboundFrame(dismissedMessage(confirmation)));
  }

  onTask(task: Task): void {
    this.cancellations.onTask(task);
    if (!task.cancelled) return;
    this.heartbeats.stopTask(task.taskId);
    const frame = new OutboundFrame(taskCancelledMessage(task));
    for (const connection of this.delivery.audience(channelOfTask(task.taskId), task.userId ?? task.namedUserId))
      connection.announce('task', task.taskId, frame);
  }

  onPublication(publication: Publication): number {
    const reached = this.delivery.publish(publication);
    this.metrics.messagesSent.inc(reached);
    return reached;
  }

  onMissed(channel: string, head: StreamPosition): void {
    this.recoveries.onMissed(channel, head);
  }

  onAcknowledgedMessage(message: AcknowledgedMessage): number {
    const frame = acknowledgedFrame(message);
    let reached = 0;
    for (const connection of this.hub.watching(message.userId)) {
      connection.showOnce(message.messageId, frame);
      reached += 1;
    }
    this.metrics.messagesSent.inc(reached);
    return reached;
  }

  onAcknowledged(messageId: string, userId: string): void {
    for (const connection of this.hub.ofUser(userId)) connection.changes.note(messageId);
    this.acknowledgements.onAcknowledged(messageId);
  }

  onEvicted(connectionId: string): void {
    void this.hub.byId(connectionId)?.close(CLOSE.REPLACED);
  }

  onRevoked(userId: string): void {
    this.rights.onRevoked(userId);
    // Frames in the send queues are dropped.
    for (const connection of [...this.hub.ofUser(userId)]) connection.cut(CLOSE.REVOKED);
  }

  onReview(userId: string): void {
    this.rights.onReview(userId);
  }

  onLeaseTaken(taskId: string, order: number): void {
    this.heartbeats.onLeaseTaken(taskId, order);
  }

  onLeaseEnded(): void {
    this.metrics.leasesLost.inc();
  }

  onGap(): void {
    this.metrics.engineGaps.inc();
    this.rights.onGap();
    this.recoveries.onGap();
    this.rereading.run().catch((error: unknown) => this.logger.error(`re-reading after a gap failed: ${String(error)}`));
  }

  onWebhookEvents(): void {
    this.webhook.wake();
  }

  onWebhookEventsDropped(count: number): void {
    this.webhook.dropped(count);
  }

  /** A prompt that stays pending looks different from now on. */
  private sendChanged({ userId }: Confirmation, frame: OutboundFrame): void {
    for (const connection of this.hub.watching(userId)) {
      connection.changes.outdate();
      connection.send(frame);
    }
  }

  private async reread(): Promise<void> {
    const { confirmations, cancellations, acknowledgements } = this;
    await Promise.all([confirmations.reread(), cancellations.reread(), acknowledgements.reread()]);
  }

  /** Completes the streams. The engine has closed and emits no more events. */
  close(): void {
    this.acknowledgements.stop();
    this.decisions.complete();
  }
}

function decisionEvent(confirmation: Decided): DecisionEvent {
  const { userId, taskId, step, decision } = confirmation;
  return { userId, taskId, step, decidedAt: decision.decidedAt, ...confirmationResult(confirmation) };
}

/** Whether a deadline was applied long after its time. */
function isLate({ expiresAt, decision: { outcome, decidedAt } }: Decided): boolean {
  return outcome === 'timed_out' && expiresAt !== null && decidedAt - expiresAt > IN_TIME_MS;
}
