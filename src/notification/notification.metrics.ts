/**
 * The module's metrics, in a registry of its own beside the host app's. docs/metrics.md lists them.
 *
 * The values of a node's workers are added up. Every worker sees every decision, so `aggregator: 'max'` combines those
 * counts. Labels take closed sets of values (`metrics/labels.ts`).
 */
import { Counter, Histogram, Registry, type HistogramConfiguration } from 'prom-client';
import { ACTIONS } from '../protocol/actions.js';
import { toSeconds } from '../protocol/time.js';
import { AskedUsers } from './metrics/asked-users.js';
import { registerGauge, shared, type Aggregator } from './metrics/register-gauge.js';
import {
  CLOSE_CODES,
  DOORS,
  OUTCOMES,
  REFUSED_BECAUSE,
  SENT_TYPES,
  STATUSES,
  UNREADABLE,
  WEBHOOK_RESULTS,
} from './metrics/labels.js';
import { registerNodeGauges, type GaugeValues } from './metrics/gauges.js';
import { Tally } from './metrics/tally.js';
import { performance, setImmediate } from './pacing/time-source.js';
import { exemplarOf, type TraceContext } from './tracing/trace-context.js';

/** What a decided confirmation contributes. */
interface DecidedConfirmation {
  createdAt: number;
  prompt: TraceContext;
  decision: { outcome: string; via: string; decidedAt: number };
}

export class NotificationMetrics {
  readonly registry = new Registry();

  readonly connectionsTotal = this.counter('websocket_connections_total', 'Connections accepted since the start');
  readonly connectionsFailed = this.counter(
    'websocket_connections_failed_total',
    'Handshakes refused and connections over the limit',
  );
  readonly handshakesRefused = this.tally(
    'websocket_handshakes_refused_total',
    'Handshakes refused and connections over the limit, by reason',
    'reason',
    REFUSED_BECAUSE,
    'internal',
  );
  readonly closes = this.tally('websocket_closes_total', 'Closed connections, by close code', 'code', CLOSE_CODES, 'other');
  readonly reconnects = this.counter(
    'websocket_reconnects_total',
    'Connections of users who came back within a minute after another had ended',
  );
  readonly slowCloses = this.counter('websocket_slow_closes_total', 'Connections cut because their peer read too slowly');
  readonly roundTripTime = this.histogram(
    'websocket_round_trip_seconds',
    'From a protocol-level ping to its pong',
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );

  readonly framesReceived = this.counter('websocket_frames_received_total', 'Frames received from clients');
  readonly receivedBytes = this.counter('websocket_received_bytes_total', 'Bytes received from clients in frames, decompressed');
  readonly actions = this.tally(
    'websocket_actions_total',
    'Frames that were handled, by action',
    'action',
    [...ACTIONS, UNREADABLE],
    'unknown',
  );
  readonly messagesSent = this.counter('websocket_messages_sent_total', 'Messages delivered to connections');
  readonly messagesFailed = this.counter(
    'websocket_messages_failed_total',
    'Messages dropped with a connection that was too slow or gone',
  );
  private readonly framesSent = this.tally(
    'websocket_frames_sent_total',
    'Frames handed to sockets, replies included, by message type',
    'type',
    SENT_TYPES,
    'application',
  );
  private readonly sentBytes = this.tally(
    'websocket_sent_bytes_total',
    'Bytes handed to sockets in frames, by message type',
    'type',
    SENT_TYPES,
    'application',
  );
  private readonly deliveryTime = this.tracedHistogram({
    name: 'websocket_delivery_seconds',
    help: 'From the call that sends something until this node has handed it to its sockets, by kind',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    labelNames: ['kind'],
  });
  readonly recoveries = this.tally(
    'websocket_recoveries_total',
    'Recoveries of missed messages, by result',
    'result',
    ['recovered'],
    'gap',
  );
  readonly errors = this.labelled('websocket_errors_total', 'Errors sent to clients, by code', ['code']);
  readonly httpResponses = this.tally(
    'websocket_http_responses_total',
    'Answers to REST requests, by status; health is not counted',
    'status',
    STATUSES,
    'other',
  );

  private readonly confirmationsOpened = this.counter('confirmations_opened_total', 'Prompts opened by this node');
  private readonly confirmationsDecided = this.labelled(
    'confirmations_decided_total',
    'Decisions seen by this node, by outcome',
    ['outcome'],
    'max',
  );
  private readonly decisions = this.labelled(
    'confirmation_decisions_total',
    'Decisions seen by this node, by outcome and door',
    ['outcome', 'via'],
    'max',
  );
  private readonly responseTime = this.tracedHistogram({
    name: 'confirmation_response_seconds',
    help: 'From a prompt to its answer',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86_400],
    aggregator: 'max',
  });
  private readonly lateDeadlines = this.labelled(
    'confirmation_deadlines_late_total',
    'Deadlines applied more than 2.5 s after their time, as seen by this node',
    [],
    'max',
  );
  private readonly askedUsers = new AskedUsers();

  private readonly engineCalls = this.histogram(
    'engine_call_seconds',
    'Calls of the engine, by its part',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    ['part'],
  );
  private readonly engineErrors = this.tally(
    'engine_errors_total',
    'Calls that the engine did not carry out, by reason',
    'reason',
    ['unavailable', 'store_full'],
    'fault',
  );
  readonly engineGaps = this.counter('engine_gaps_total', 'Times at which events of the engine may have been missed');
  readonly leasesLost = this.counter('engine_leases_lost_total', 'Times at which other nodes did not count this one as alive');

  readonly webhooksSent = this.counter('webhook_sent_total', 'Webhooks that the receiver took');
  readonly webhooksFailed = this.counter('webhook_failed_total', 'Attempts that the receiver did not take; they are repeated');
  readonly webhooksDropped = this.counter('webhook_dropped_total', 'Webhooks given up after the retention');
  private readonly webhookAttempts = this.tally(
    'webhook_attempts_total',
    'Attempts to deliver a webhook, by result',
    'result',
    WEBHOOK_RESULTS,
    'other',
  );
  private readonly webhookTime = this.histogram(
    'webhook_seconds',
    'How long attempts to deliver a webhook took',
    [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  );

  constructor() {
    for (const outcome of OUTCOMES) this.confirmationsDecided.inc({ outcome }, 0);
  }

  /** A frame was handed to a socket. */
  readonly sent = (type: string, bytes: number): void => {
    this.framesSent.add(type);
    this.sentBytes.add(type, bytes);
  };

  /** What was sent by a call that began then is in the send queues. They are written in this turn of the event loop. */
  delivering(kind: 'message' | 'acknowledged' | 'confirmation', began: number, trace: TraceContext): void {
    setImmediate(() => {
      const value = toSeconds(performance.now() - began);
      this.deliveryTime.observe({ labels: { kind }, value, exemplarLabels: exemplarOf(trace) });
    });
  }

  /** This node has opened a prompt. */
  opened(userId: string): void {
    this.confirmationsOpened.inc();
    this.askedUsers.add(userId);
  }

  /** @param isLate whether a deadline was applied long after its time */
  decided({ createdAt, prompt, decision: { outcome, via, decidedAt } }: DecidedConfirmation, isLate: boolean): void {
    this.confirmationsDecided.inc({ outcome });
    this.decisions.inc({ outcome, via: DOORS.has(via) ? via : 'other' });
    if (outcome === 'answered')
      this.responseTime.observe({ value: toSeconds(decidedAt - createdAt), exemplarLabels: exemplarOf(prompt) });
    if (isLate) this.lateDeadlines.inc();
  }

  /** @param failed why the engine did not carry out the call */
  engineCalled(part: string, seconds: number, failed?: 'unavailable' | 'store_full' | 'fault'): void {
    this.engineCalls.observe({ part }, seconds);
    if (failed) this.engineErrors.add(failed);
  }

  webhookAttempted(result: string, seconds: number): void {
    this.webhookAttempts.add(result);
    this.webhookTime.observe(seconds);
  }

  /** Registers the gauges whose values live elsewhere. */
  observe(values: GaugeValues): void {
    registerNodeGauges(this.registry, this.askedUsers, values);
  }

  /** Registers the gauges of the webhook, if there is one. */
  observeWebhookEvents(read: () => Promise<{ waiting: number; oldestMs?: number }>): void {
    const waiting = shared(read);
    registerGauge(
      this.registry,
      { name: 'webhook_pending', help: 'Webhooks that the receiver has not taken yet, of all nodes' },
      async () => (await waiting()).waiting,
    );
    registerGauge(
      this.registry,
      { name: 'webhook_oldest_seconds', help: 'How long ago the oldest waiting webhook happened; 0: there is none' },
      async () => ((await waiting()).oldestMs ?? 0) / 1000,
    );
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  private labelled(name: string, help: string, labelNames: string[], aggregator: Aggregator = 'sum'): Counter {
    return new Counter({ name, help, labelNames, aggregator, registers: [this.registry] });
  }

  private tally(name: string, help: string, label: string, values: readonly string[], rest: string): Tally {
    return new Tally(this.registry, { name, help, label, values, rest });
  }

  private histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.registry] });
  }

  /** With exemplars, which are shown in OpenMetrics. */
  private tracedHistogram(config: HistogramConfiguration<string>): Histogram {
    // The constructor would refuse a registry of plain text.
    const histogram = new Histogram({ ...config, enableExemplars: true, registers: [] });
    this.registry.registerMetric(histogram);
    return histogram;
  }
}
