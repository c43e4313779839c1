/** The store's thread with a faulty database: see `FaultyStore`. */
import { parentPort } from 'node:worker_threads';
import { serveStore } from '../../src/notification/engine/embedded/serve-store.js';
import { openSqlite } from '../../src/notification/engine/embedded/sqlite.js';
import { FaultySqlite, type Fault } from './faulty-sqlite.js';

let database: FaultySqlite | undefined;
parentPort?.on('message', (message: { type: string; fault: Fault }) => {
  if (message.type === 'inject') database?.inject(message.fault);
});
await serveStore(async (path) => (database = new FaultySqlite(await openSqlite(path))));
