/** Starts the threads of an embedded engine's store, each on a database of which any step can be made to fail. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Fault } from './faulty-sqlite.js';

export class FaultyStore {
  private worker: Worker | undefined;

  /** For the option `newWorker` of one engine. */
  readonly newWorker = (options: object): Worker => {
    const file = fileURLToPath(new URL('./faulty-store.worker.js', import.meta.url));
    this.worker = new Worker(file, { workerData: options, execArgv: [] });
    return this.worker;
  };

  /** Takes effect before the calls that are made after it. */
  inject(fault: Fault): void {
    this.worker?.postMessage({ type: 'inject', fault });
  }
}
