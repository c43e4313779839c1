/** Opens the store in a worker thread, then answers batch after batch. The end of the thread frees the file's lock. */
import { parentPort, workerData } from 'node:worker_threads';
import { ConfigurationError } from '../../notification.errors.js';
import type { Sqlite } from './sqlite.js';
import type { FromWorker, StoreOptions, ToWorker } from './store-protocol.js';
import { Store } from './store.js';

/** @param openDatabase opens the file at a path */
export async function serveStore(openDatabase: (path: string) => Promise<Sqlite>): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('the store runs in a worker thread only');
  const answer = (message: FromWorker): void => port.postMessage(message);
  try {
    const store = await Store.open(workerData as StoreOptions, openDatabase);
    answer(store.begin());
    port.on('message', (message: ToWorker) => {
      switch (message.type) {
        case 'batch': {
          const outcomes = store.run(message.calls);
          return answer({ type: 'outcomes', outcomes, nextDue: store.nextDue, warnings: store.takeWarnings() });
        }
        case 'close':
          store.close(message.isStored);
          port.close();
      }
    });
  } catch (error) {
    const kind = error instanceof ConfigurationError ? 'refused' : 'unavailable';
    answer({ type: 'refused', failure: { kind, message: (error as Error).message } });
  }
}
