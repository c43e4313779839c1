/** The metrics of this node: of this process, or of all workers that share its port. */
import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  collectDefaultMetrics,
  type PrometheusContentType,
  type Registry,
} from 'prom-client';
import { NotificationError } from '../notification/index.js';
import { NotificationMetrics } from '../notification/service-door.js';
import { Logs } from './logs.js';
import { PrimaryLink } from './primary-link.js';

/** How often the event loop's lag is sampled. prom-client's 10 ms cost a node that idles half of all it does. */
const EVENT_LOOP_SAMPLE_MS = 50;

@Injectable()
export class NodeMetrics {
  private readonly logger = new Logger(NodeMetrics.name);
  private readonly own: Registry;

  constructor(
    { registry }: NotificationMetrics,
    logs: Logs,
    @Optional() @Inject(PrimaryLink) private readonly link: PrimaryLink | undefined,
  ) {
    this.own = registry;
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    new Counter({
      name: 'log_lines_lost_total',
      help: 'Lines that a log could not take, by log',
      labelNames: ['log'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [log, lost] of logs.lost) this.inc({ log }, lost);
      },
    });
    link?.on('node:read-metrics', (id) => {
      void registry.getMetricsAsJSON().then((metrics) => link.send({ type: 'node:metrics', id, metrics }));
    });
  }

  /** @throws NotificationError UNAVAILABLE when the process that started this worker does not answer */
  async read(): Promise<Registry> {
    if (!this.link) return this.own;
    const collected = await this.link.request({ type: 'node:collect-metrics', id: this.link.newId() }, 'node:collected');
    if (!collected) throw new NotificationError('UNAVAILABLE', 'the process that started this worker does not answer');
    const { processes, missing } = collected;
    const workers = processes.length + missing;
    if (missing > 0) this.logger.warn(`${missing} of ${workers} workers do not answer: the metrics lack their figures`);
    const registry: Registry = AggregatorRegistry.aggregate<PrometheusContentType>(processes);
    const add = (name: string, help: string, value: number): void => new Gauge({ name, help, registers: [registry] }).set(value);
    add('websocket_workers', 'Workers that listen', workers);
    add('websocket_workers_missing', 'Workers that do not answer: their figures are missing', missing);
    return registry;
  }
}
