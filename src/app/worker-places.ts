/** A worker among the workers of its node: the process that started it counts the places of all, and collects their metrics. */
import { Logger } from '@nestjs/common';
import { AggregatorRegistry, Gauge, type PrometheusContentType, type Registry } from 'prom-client';
import { NotificationError, type PlaceKind, type WorkerGroup } from '../notification/index.js';
import { CountedPlace } from '../notification/service-door.js';
import { addExemplars } from './worker-exemplars.js';
import type { PrimaryLink } from './primary-link.js';
import { NODE_NAME } from './worker-messages.js';

export class WorkerPlaces implements WorkerGroup {
  readonly nodeName = process.env[NODE_NAME] ?? String(process.ppid);
  private readonly logger = new Logger(WorkerPlaces.name);
  private readonly places = new Map<number, CountedPlace>();

  constructor(private readonly link: PrimaryLink) {
    link.on('node:give-way', (id) => {
      const place = this.places.get(id);
      this.places.delete(id);
      place?.displace();
    });
  }

  async takePlace(kind: PlaceKind): Promise<CountedPlace | undefined> {
    const id = this.link.newId();
    const release = (): void => {
      if (this.places.delete(id)) this.link.send({ type: 'node:release-place', id });
    };
    const place = new CountedPlace(release);
    // It may have to give way before the caller has it.
    this.places.set(id, place);
    const answer = await this.link.request({ type: 'node:take-place', id, kind }, 'node:place');
    if (answer?.isTaken) return place;
    // Without an answer it may still be given.
    if (answer) this.places.delete(id);
    else release();
    return undefined;
  }

  async countConnections(): Promise<number> {
    const answer = await this.link.request({ type: 'node:count-connections', id: this.link.newId() }, 'node:connections');
    if (!answer) throw new NotificationError('UNAVAILABLE', 'the process that started this worker does not answer');
    return answer.count;
  }

  async readMetrics(): Promise<Registry> {
    const collected = await this.link.request({ type: 'node:collect-metrics', id: this.link.newId() }, 'node:collected');
    if (!collected) throw new NotificationError('UNAVAILABLE', 'the process that started this worker does not answer');
    const { processes, missing } = collected;
    const workers = processes.length + missing;
    if (missing > 0) this.logger.warn(`${missing} of ${workers} workers do not answer: the metrics lack their figures`);
    const registry: Registry = AggregatorRegistry.aggregate<PrometheusContentType>(processes);
    await addExemplars(registry, processes);
    const add = (name: string, help: string, value: number): void => new Gauge({ name, help, registers: [registry] }).set(value);
    add('websocket_workers', 'Workers that listen', workers);
    add('websocket_workers_missing', 'Workers that do not answer: their figures are missing', missing);
    return registry;
  }
}
