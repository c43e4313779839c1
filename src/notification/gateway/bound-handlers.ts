/**
 * The message handlers of a gateway, bound to connections.
 *
 * Nest makes a table of bound handlers for each client, nearly a kilobyte, and most connections never send a frame. So
 * Nest is given a connection at its first frame, and only the newest tables are kept: it makes a dropped one again.
 */
import type { WsMessageHandler } from '@nestjs/common';
import type { Connection } from '../connection/connection.js';

const KEPT = 1000;

/** By action. */
export type Handlers = ReadonlyMap<string, WsMessageHandler>;

export class BoundHandlers {
  private tables = new WeakMap<Connection, Handlers>();
  private kept = 0;

  /** @param bind makes Nest bind the handlers, for which it calls `keep` before it returns */
  constructor(private readonly bind: (connection: Connection) => void) {}

  of(connection: Connection): Handlers {
    let table = this.tables.get(connection);
    if (table) return table;
    this.bind(connection);
    table = this.tables.get(connection);
    if (!table) throw new Error('Nest has bound no handlers to the connection');
    return table;
  }

  keep(connection: Connection, handlers: readonly WsMessageHandler[]): void {
    if (this.kept >= KEPT) {
      this.tables = new WeakMap();
      this.kept = 0;
    }
    this.kept += 1;
    this.tables.set(connection, new Map(handlers.map((handler) => [handler.message, handler])));
  }
}
