/** Several processes on one port, for machines with several cores: the first starts the others and passes signals on. */
import { randomBytes } from 'node:crypto';
import cluster, { type Worker } from 'node:cluster';
import { Primary } from './primary.js';
import { NODE_NAME } from './worker-messages.js';

/** A worker that ended by itself is started again, no faster than this. */
const RESTART_PAUSE_MS = 1000;

/** Starts `count` copies of this program, which take `maxConnections` together; ends with them. */
export function runWorkers(count: number, maxConnections: number): void {
  // JSON has no NaN, which a gauge has while the engine is away.
  cluster.setupPrimary({ serialization: 'advanced' });
  new Primary(maxConnections).serve();
  const environment = { [NODE_NAME]: randomBytes(6).toString('hex') };
  let stopping = false;
  const hasListened = new WeakSet<Worker>();
  const startOne = (): Worker => cluster.fork(environment);
  for (let started = 0; started < count; started += 1) startOne();
  cluster.on('exit', (worker, code) => {
    const left = Object.keys(cluster.workers ?? {}).length;
    // A worker that never listened would fail again, and its error has been printed.

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
