/** The worker thread's entry. */
import { serveStore } from './serve-store.js';
import { openSqlite } from './sqlite.js';

void serveStore(openSqlite);
