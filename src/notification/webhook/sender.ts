/**
 * Delivers webhook events (E7) to the receiver. The engine holds all state: if a node dies during an attempt, another node, or
 * the restarted one, delivers again.
 *
 *  1. The sender claims only what it can send at once, so a lease has to outlast one attempt and no queue.
 *  2. At most `CONCURRENCY` attempts are under way; while the receiver fails, one.
 *  3. The engine wakes the sender, which has no timer. If the engine does not learn of an attempt's result, the event returns
 *     when its lease ends.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { EventQueue, type WebhookEvent } from '../engine/event-queue.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';
import { SingleFlight } from '../pacing/single-flight.js';
import { contextOf, failSpan, startSpan, withOwnHeader } from '../tracing/spans.js';
import { pauseMs } from './back-off.js';
import { FailureLog } from './failure-log.js';
import { webhookBody } from './payload.js';
import { Receiver } from './receiver.js';
import { clearTimeout, performance, setTimeout } from '../pacing/time-source.js';

const CONCURRENCY = 8;
/** How much longer than the attempt a lease lasts, so that the engine can be given the result. */
const MARGIN_MS = 3000;
/** How long a service that closes lets attempts finish. */
const GRACE_MS = 1000;

@Injectable()
export class WebhookSender {
  private readonly logger = new Logger('Webhook');
  /** Where people reach the service, for the `url` of the events that ask for them. */
  private readonly publicUrl: string | undefined;
  /** Absent without a webhook: nothing is sent. */
  private readonly receiver: Receiver | undefined;
  private readonly leaseMs: number;
  private readonly failures = new FailureLog((message) => this.logger.warn(message));
  private readonly underWay = new Set<Promise<void>>();
  private readonly stop = new AbortController();
  private phase: 'idle' | 'running' | 'closing' = 'idle';
  private isWanted = false;
  private readonly claiming = new SingleFlight(() => this.claim());

  constructor(
    @Inject(EventQueue) private readonly queue: EventQueue,
    @Inject(ResolvedOptions) { webhook, publicUrl }: ResolvedOptions,
    private readonly metrics: NotificationMetrics,
  ) {
    this.publicUrl = publicUrl;
    this.receiver = webhook && new Receiver(webhook);
    this.leaseMs = Math.ceil(webhook?.timeoutMs ?? 0) + MARGIN_MS;
    if (webhook) metrics.observeWebhookEvents(() => queue.counts());
  }

  /** Begins to send, with what is left from before. */
  start(): void {
    this.phase = 'running';
    this.wake();
  }

  /** There may be something to send. */
  wake(): void {
    this.isWanted = true;
    if (this.receiver && this.phase === 'running') void this.claiming.run();
  }

  dropped(count: number): void {
    this.metrics.webhooksDropped.inc(count);
    if (this.receiver) this.failures.dropped(count);
  }

  /** What is under way may finish within a second; the rest goes back to the engine, for others or for the next start. */
  async close(): Promise<void> {
    this.phase = 'closing';
    await this.claiming.idle();
    const impatience = setTimeout(() => this.stop.abort(), GRACE_MS);
    await Promise.all(this.underWay);
    clearTimeout(impatience);
  }

  private async claim(): Promise<void> {
    const { receiver } = this;
    try {
      while (receiver && this.isWanted && this.phase === 'running') {
        const free = (this.failures.isFailing ? 1 : CONCURRENCY) - this.underWay.size;
        if (free <= 0) return; // whatever ends wakes
        this.isWanted = false;
        const events = await this.queue.claim(free, this.leaseMs);
        if (events.length === free) this.isWanted = true;
        for (const event of events) this.begin(receiver, event);
      }
    } catch (error) {
      // The engine wakes again when it can.
      this.logger.debug(`claiming webhook events failed: ${String(error)}`);
    }
  }

  private begin(receiver: Receiver, event: WebhookEvent): void {
    const sending = this.send(receiver, event)
      .catch((error: unknown) => this.logger.debug(`webhook event ${event.id} returns when its lease ends: ${String(error)}`))
      .finally(() => {
        this.underWay.delete(sending);
        if (this.isWanted) this.wake();
      });
    this.underWay.add(sending);
  }

  private async send(receiver: Receiver, event: WebhookEvent): Promise<void> {
    const began = performance.now();
    const span = startAttempt(event);
    const attempt = await withOwnHeader(span, () =>
      receiver.post(event.id, webhookBody(event, this.publicUrl), this.stop.signal, span && contextOf(span)),
    );
    span?.setAttribute('websocket_manager.result', attempt.result);
    if (!attempt.delivered) failSpan(span, { code: attempt.result });
    span?.end();
    // An attempt that this node's end has cut short says nothing of the receiver.
    if (!this.stop.signal.aborted) this.metrics.webhookAttempted(attempt.result, (performance.now() - began) / 1000);
    if (attempt.delivered) {
      this.metrics.webhooksSent.inc();
      this.failures.succeeded();
      await this.queue.complete(event);
    } else if (this.stop.signal.aborted) {
      await this.queue.postpone(event, 0);
    } else {
      this.metrics.webhooksFailed.inc();
      this.failures.failed(attempt.reason);
      await this.queue.postpone(event, pauseMs(event.attempt, attempt.askedMs));
    }
  }
}

/** @returns `undefined` for an event of a task, and for a confirmation without a trace */
function startAttempt({ subject, event, attempt }: WebhookEvent): ReturnType<typeof startSpan> {
  if (subject.kind !== 'confirmation') return undefined;
  const attributes = { 'websocket_manager.event': event, 'websocket_manager.attempt': attempt };
  return startSpan('send', subject.confirmation, { destination: 'webhook', attributes });
}
