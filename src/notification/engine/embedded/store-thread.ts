/** The store's thread: how it is started, and what it reports. */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { EngineUnavailableError } from '../../notification.errors.js';
import { errorOf } from './store-errors.js';
import type { FromWorker, Opened, Outcomes, StoreOptions, StoreThread } from './store-protocol.js';

export interface ThreadListener {
  onOpened(opened: Opened): void;
  onOutcomes(outcomes: Outcomes): void;
  /** It has ended, opened or not. */
  onEnd(cause: string): void;
  warn(message: string): void;
}

/** @returns what it has opened; rejects when it ends before */
export function opening(thread: StoreThread, listener: ThreadListener): Promise<Opened> {
  return new Promise((resolve, reject) => {
    let cause = 'it ended by itself';
    let refusal: Error | undefined;
    thread.on('error', (error: Error) => (cause = error.message));
    thread.on('exit', () => {
      // Not before the thread is gone, and with it whatever it held of the file.
      reject(refusal ?? new EngineUnavailableError(`the store ended: ${cause}`));
      listener.onEnd(cause);
    });
    thread.on('message', (message: FromWorker) => {
      if (message.type === 'refused') {
        refusal = errorOf(message.failure);
        return;
      }
      for (const warning of message.warnings) listener.warn(warning);
      if (message.type === 'outcomes') return listener.onOutcomes(message);
      listener.onOpened(message);
      resolve(message);
    });
  });
}

export function newStoreWorker(options: StoreOptions): StoreThread {
  const file = fileURLToPath(new URL('./store.worker.js', import.meta.url));
  return new Worker(file, { workerData: options, execArgv: [] });
}
