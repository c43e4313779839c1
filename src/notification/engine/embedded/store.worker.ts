/** The worker thread: opens the store, then answers batch after batch. Its end, however it comes, frees the file's lock. */
import { parentPort, workerData } from 'node:worker_threads';
import { ConfigurationError } from '../../notification.errors.js';
import type { FromWorker, StoreOptions, ToWorker } from './store-protocol.js';
import { Store } from './store.js';

const port = parentPort;
if (!port) throw new Error('store.worker runs as a worker thread only');
const answer = (message: FromWorker): void => port.postMessage(message);

try {
  const store = await Store.open(workerData as StoreOptions);
  answer(store.begin());
  port.on('message', (message: ToWorker) => {
    if (message.type === 'inject') return store.inject(message.fault);
    if (message.type === 'batch') {
      const outcomes = store.run(message.calls);
      return answer({ type: 'settled', outcomes, nextDue: store.nextDue, warnings: store.takeWarnings() });
    }
    store.close();
    port.close();
  });
} catch (error) {
  const kind = error instanceof ConfigurationError ? 'refused' : 'unavailable';
  answer({ type: 'refused', failure: { kind, message: (error as Error).message } });
}
