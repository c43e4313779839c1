/**
 * How long a request may take to arrive. Node checks that between two readings of the sockets: after a stall of the event loop
 * it would close a request that came in time and lies in its socket unread. So it finds no bound until the sockets are read.
 */
import type { Server } from 'node:http';

/** A handshake or request that has not arrived whole by then is closed. */
const HEADERS_MS = 3000;
/** A request whose body has not arrived whole by then is closed. */
const REQUEST_MS = 30_000;
/** How often Node checks. Its default of 30 s would let late requests stay as long. */
const CHECK_EVERY_MS = 500;
const READ_EVERY_MS = 250;
/** The sockets have not been read for so long: a stall. */
const STALLED_MS = 1000;

export function boundRequests(server: Server): void {
  let readAt = performance.now();
  // An immediate comes after the sockets have been read.
  const timer = setInterval(() => setImmediate(() => (readAt = performance.now())), READ_EVERY_MS).unref();
  server.once('close', () => clearInterval(timer));
  const unlessStalled = (ms: number): PropertyDescriptor => ({
    get: () => (performance.now() - readAt > STALLED_MS ? 0 : ms),
    configurable: true,
  });
  Object.defineProperties(server, { headersTimeout: unlessStalled(HEADERS_MS), requestTimeout: unlessStalled(REQUEST_MS) });
  Object.assign(server, { connectionsCheckingInterval: CHECK_EVERY_MS });
}
