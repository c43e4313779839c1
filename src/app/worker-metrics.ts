/** The metrics of all workers of a node. A worker asks the process that started it, which collects from every worker. */
import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';
import { z } from 'zod';

/** The collection itself gives up after 5 s. */
const ANSWER_WITHIN_MS = 6000;

const request = z.object({ type: z.literal('node-metrics'), id: z.number() });
const answer = request.extend({ text: z.string().optional() });

/** In the process that starts the workers. A collection that failed is answered without text. */
export function answerWorkers(): void {
  const collector = new AggregatorRegistry();
  cluster.on('message', (worker: Worker, message: unknown) => {
    const asked = request.safeParse(message);
    if (!asked.success) return;
    const reply = (text?: string): void => {
      if (worker.isConnected()) worker.send({ ...asked.data, text });
    };
    collector.clusterMetrics().then(reply, () => reply());
  });
}

/** In a worker. */
export class WorkerMetrics {
  private readonly waiting = new Map<number, (text?: string) => void>();
  private lastId = 0;

  constructor(registry: Registry) {
    AggregatorRegistry.setRegistries(registry);
    // It answers the collections of the process that started this one.
    new AggregatorRegistry();
    process.on('message', (message: unknown) => {
      const answered = answer.safeParse(message);
      if (answered.success) this.waiting.get(answered.data.id)?.(answered.data.text);
    });
  }

  /** @returns Prometheus' text; `undefined` when a worker does not answer */
  async read(): Promise<string | undefined> {
    const id = (this.lastId += 1);
    const text = await new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN_MS);
      this.waiting.set(id, (found) => {
        clearTimeout(timer);
        resolve(found);
      });
      process.send?.({ type: 'node-metrics', id });
    });
    this.waiting.delete(id);
    return text;
  }
}
