/** The metrics of this node: of this process, or of all workers that share its port. */
import { Inject, Injectable, Optional } from '@nestjs/common';
import { Counter, Gauge, collectDefaultMetrics, type Registry } from 'prom-client';
import { NotificationMetrics } from '../notification/service-door.js';
import { Logs } from './logs.js';
import { PrimaryLink } from './primary-link.js';
import { WorkerPlaces } from './worker-places.js';

/** How often the event loop's lag is sampled. prom-client's 10 ms cost a node that idles half of all it does. */
const EVENT_LOOP_SAMPLE_MS = 50;

@Injectable()
export class NodeMetrics {
  private readonly own: Registry;

  constructor(
    { registry }: NotificationMetrics,
    logs: Logs,
    @Optional() @Inject(PrimaryLink) link: PrimaryLink | undefined,
    @Optional() @Inject(WorkerPlaces) private readonly workers: WorkerPlaces | undefined,
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
    new Gauge({
      name: 'log_waiting_bytes',
      help: 'Bytes that a log has not taken yet, by log',
      labelNames: ['log'],
      aggregator: 'sum',
      registers: [registry],
      collect() {
        this.reset();
        for (const [log, bytes] of logs.waitingBytes) this.set({ log }, bytes);
      },
    });
    link?.on('node:read-metrics', (id) => {
      void registry.getMetricsAsJSON().then((metrics) => link.send({ type: 'node:metrics', id, metrics }));
    });
  }

  /** @throws NotificationError UNAVAILABLE when the process that started this worker does not answer */
  async read(): Promise<Registry> {
    return this.workers?.readMetrics() ?? this.own;
  }
}
