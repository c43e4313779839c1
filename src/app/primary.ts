/**
 * The process that starts the workers, as they see it: it counts the places of all their connections and collects the metrics
 * of all. A worker that ends gives its places back.
 */
import cluster, { type Worker } from 'node:cluster';
import { PlaceCounter, type CountedPlace } from '../notification/service-door.js';
import { workerMessage, type PrimaryMessage, type ProcessMetrics, type WorkerMessage } from './worker-messages.js';

/** A worker that has not answered by then is left out of the metrics. It may wait 2 s for an engine that is away. */
const METRICS_WITHIN_MS = 3000;

export class Primary {
  private readonly places: PlaceCounter;
  private readonly held = new Map<Worker, Map<number, CountedPlace>>();
  private readonly listening = new Set<Worker>();
  /** Workers whose last reading is still unanswered. They are not asked again meanwhile. */
  private readonly silent = new Set<Worker>();
  private readonly readings = new Map<number, (metrics: ProcessMetrics) => void>();
  private lastReading = 0;

  constructor(maxConnections: number) {
    this.places = new PlaceCounter(maxConnections);
  }

  /** Begins to answer the workers. */
  serve(): void {
    cluster.on('fork', (worker) => worker.on('error', (error) => report(worker, error)));
    cluster.on('listening', (worker) => this.listening.add(worker));
    cluster.on('message', (worker: Worker, message: unknown) => {
      const parsed = workerMessage.safeParse(message);
      if (parsed.success) this.handle(worker, parsed.data);
    });
    cluster.on('exit', (worker) => {
      this.listening.delete(worker);
      this.silent.delete(worker);
      for (const place of this.held.get(worker)?.values() ?? []) place.release();
      this.held.delete(worker);
    });
  }

  private handle(worker: Worker, message: WorkerMessage): void {
    const { id } = message;
    switch (message.type) {
      case 'node:take-place':
        return this.takePlace(worker, id, message.kind);
      case 'node:release-place':
        this.held.get(worker)?.get(id)?.release();
        this.held.get(worker)?.delete(id);
        return;
      case 'node:count-connections':
        return send(worker, { type: 'node:connections', id, count: this.places.size });
      case 'node:collect-metrics':
        void this.collect().then((found) => send(worker, { type: 'node:collected', id, ...found }));
        return;
      case 'node:metrics':
        this.silent.delete(worker);
        return this.readings.get(id)?.(message.metrics);
      default:
        return message satisfies never;
    }
  }

  private takePlace(worker: Worker, id: number, kind: 'regular' | 'unauthenticated'): void {
    // Its last messages may arrive after its end.
    const place = worker.isDead() ? undefined : this.places.take(kind);
    if (place) {
      const held = this.held.get(worker) ?? new Map<number, CountedPlace>();
      this.held.set(worker, held.set(id, place));
      place.onDisplaced(() => {
        held.delete(id);
        send(worker, { type: 'node:give-way', id });
      });
    }
    send(worker, { type: 'node:place', id, isTaken: place !== undefined });
  }

  private async collect(): Promise<{ processes: ProcessMetrics[]; missing: number }> {
    const found = await Promise.all([...this.listening].map((worker) => this.metricsOf(worker)));
    const processes = found.filter((metrics) => metrics !== undefined);
    return { processes, missing: found.length - processes.length };
  }

  /** @returns `undefined` when the worker does not answer in time */
  private async metricsOf(worker: Worker): Promise<ProcessMetrics | undefined> {
    if (this.silent.has(worker)) return undefined;
    const id = (this.lastReading += 1);
    const metrics = await new Promise<ProcessMetrics | undefined>((resolve) => {
      const timer = setTimeout(() => {
        if (this.listening.has(worker)) this.silent.add(worker);
        resolve(undefined);
      }, METRICS_WITHIN_MS);
      this.readings.set(id, (read) => {
        clearTimeout(timer);
        resolve(read);
      });
      send(worker, { type: 'node:read-metrics', id });
    });
    this.readings.delete(id);
    return metrics;
  }
}

/** A worker that has died may still count as connected: its last messages are read before its end is known. */
function send(worker: Worker, message: PrimaryMessage): void {
  if (!worker.isConnected()) return;
  worker.send(message, (error: Error | null) => {
    if (error) report(worker, error);
  });
}

/** A failure that concerns one worker. Its exit, if it has died, releases what it held. */
function report(worker: Worker, error: Error): void {
  process.stderr.write(`worker ${worker.process.pid}: ${error.message}\n`);
}
