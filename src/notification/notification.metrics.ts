/**
 * The module's metrics, in a registry of its own beside the host app's. Every worker of a node counts every decision, so
 * `aggregator: 'max'` combines those counts; a sum would count them several times.
 */
import { Counter, Gauge, Histogram, Registry, type Metric } from 'prom-client';
import { Date } from './pacing/time-source.js';

/** Gauges whose values are read at each scrape. */
export interface Readings {
  connections(): number;
  running(): boolean;
  pendingConfirmations(): Promise<number>;
}

export class NotificationMetrics {
  readonly registry = new Registry();

  readonly connectionsTotal = this.counter('websocket_connections_total', 'Connections accepted since the start');
  readonly connectionsFailed = this.counter(
    'websocket_connections_failed_total',
    'Handshakes refused and connections over the limit',
  );
  readonly closes = new Counter({
    name: 'websocket_closes_total',
    help: 'Closed connections, by close code',
    labelNames: ['code'],
    registers: [this.registry],
  });
  readonly framesReceived = this.counter('websocket_frames_received_total', 'Frames received from clients');
  readonly messagesSent = this.counter('websocket_messages_sent_total', 'Messages delivered to connections');
  readonly messagesFailed = this.counter(
    'websocket_messages_failed_total',
    'Messages dropped with a connection that was too slow or gone',
  );
  readonly errors = new Counter({
    name: 'websocket_errors_total',
    help: 'Errors sent to clients, by code',
    labelNames: ['code'],
    registers: [this.registry],
  });
  readonly confirmationsOpened = this.counter('confirmations_opened_total', 'Prompts opened by this node');
  readonly confirmationsDecided = new Counter({
    name: 'confirmations_decided_total',
    help: 'Decisions seen by this node, by outcome',
    labelNames: ['outcome'],
    aggregator: 'max',
    registers: [this.registry],
  });
  readonly responseTime = new Histogram({
    name: 'confirmation_response_seconds',
    help: 'From a prompt to its answer',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 86_400],
    aggregator: 'max',
    registers: [this.registry],
  });

  readonly webhooksSent = this.counter('webhook_sent_total', 'Webhooks that the receiver took');
  readonly webhooksFailed = this.counter('webhook_failed_total', 'Attempts that the receiver did not take; they are repeated');
  readonly webhooksDropped = this.counter('webhook_dropped_total', 'Webhooks given up after the retention');

  /** Registers the gauges whose values live elsewhere. */
  observe(readings: Readings): void {
    this.gauge('websocket_connections', 'Live connections', () => readings.connections(), 'sum');
    this.gauge('websocket_running', '1 while the service takes connections', () => (readings.running() ? 1 : 0));
    this.gauge('pending_callbacks', 'Prompts that wait for a decision', () => readings.pendingConfirmations());
  }

  /** Registers the gauges of the webhook, if there is one. */
  observeWebhookEvents(read: () => Promise<{ waiting: number; oldestAt?: number }>): void {
    this.gauge(
      'webhook_pending',
      'Webhooks that the receiver has not taken yet, of all nodes',
      async () => (await read()).waiting,
    );
    this.gauge('webhook_oldest_seconds', 'How long ago the oldest of them happened; 0: there is none', async () => {
      const { oldestAt } = await read();
      return oldestAt === undefined ? 0 : Math.max(0, Date.now() - oldestAt) / 1000;
    });
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  private gauge(name: string, help: string, read: () => number | Promise<number>, aggregator: 'sum' | 'max' = 'max'): void {
    new Gauge({
      name,
      help,
      aggregator,
      registers: [this.registry],
      async collect() {
        // The other figures are reported even when the engine is unreachable.
        this.set(await Promise.resolve(read()).catch(() => Number.NaN));
      },
    });
  }
}

/** The numbers of the old component's health object. */
export interface Totals {
  connections: number;
  total_connections: number;
  failed_connections: number;
  messages_sent: number;
  messages_failed: number;
  /** Seconds from a prompt to its answer; 0 before the first answer. */
  avg_response_time: number;
}

/** @param registry of one process, or the aggregate of several processes */
export async function totalsOf(registry: Registry): Promise<Totals> {
  const valuesOf = async (name: string): Promise<{ metricName?: string; value: number }[]> => {
    const metric: Metric | undefined = registry.getSingleMetric<string>(name);
    return (await metric?.get())?.values ?? [];
  };
  const valueOf = async (name: string): Promise<number> => (await valuesOf(name))[0]?.value ?? 0;
  const histogram = await valuesOf('confirmation_response_seconds');
  const part = (suffix: string): number => histogram.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0;
  const answers = part('_count');
  return {
    connections: await valueOf('websocket_connections'),
    total_connections: await valueOf('websocket_connections_total'),
    failed_connections: await valueOf('websocket_connections_failed_total'),
    messages_sent: await valueOf('websocket_messages_sent_total'),
    messages_failed: await valueOf('websocket_messages_failed_total'),
    avg_response_time: answers === 0 ? 0 : part('_sum') / answers,
  };
}
