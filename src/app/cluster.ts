/** Several processes on one port, for machines with several cores: the first starts the others and passes signals on. */
import cluster, { type Worker } from 'node:cluster';
import { answerWorkers } from './worker-metrics.js';

/** A worker that ended by itself is started again, no faster than this. */
const RESTART_PAUSE_MS = 1000;

/** Starts `count` copies of this program; ends with them. */
export function runWorkers(count: number): void {
  // JSON has no NaN, which a gauge has while the engine is away.
  cluster.setupPrimary({ serialization: 'advanced' });
  answerWorkers();
  let stopping = false;
  const hasListened = new WeakSet<Worker>();
  const startOne = (): Worker => cluster.fork();
  for (let started = 0; started < count; started += 1) startOne();
  cluster.on('exit', (worker, code) => {
    const left = Object.keys(cluster.workers ?? {}).length;
    // One that never listened would fail again: what is wrong with it has been said.
    if (!worker.exitedAfterDisconnect && !stopping && hasListened.has(worker)) setTimeout(startOne, RESTART_PAUSE_MS);
    else if (left === 0) process.exit(stopping ? 0 : code);
  });
  cluster.on('listening', (worker) => hasListened.add(worker));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stopping = true;
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
    });
  }
}

export const isFirst = (): boolean => cluster.isPrimary;
