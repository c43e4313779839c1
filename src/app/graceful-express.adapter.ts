/**
 * The HTTP server of the stand-alone service. It stops without breaking off a request, so that a load balancer sees none
 * fail:
 *
 *  1. While the node drains, every response closes its connection. At the end a balancer has few to reuse.
 *  2. Then the server accepts no more connections. Those that are open may still send a request, which is answered: one may be
 *     on its way, and a balancer must not send a POST twice. A connection without one is closed after `IDLE_MS`.
 *  3. Requests under way that take too long are cut.
 */
import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggerService, NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { ErrorRequestHandler } from 'express';
import { answerInternal } from '../notification/service-door.js';
import { UnreadResponses } from './unread-responses.js';

/** The time that a request under way gets to end. */
const GRACE_MS = 5000;
/** How long an open connection may be silent before it is closed. */
const IDLE_MS = 500;
/** After this number of turns of the event loop without a new connection, none is waiting. */
const QUIET_TURNS = 3;
/** The upper bound: new connections may keep arriving. */
const ACCEPT_MS = 1000;

export class EndingGently extends ExpressAdapter {
  private readonly underWay = new Set<ServerResponse>();
  private readonly unread = new UnreadResponses();
  private leaving = false;

  override initHttpServer(options: NestApplicationOptions): void {
    super.initHttpServer(options);
    this.server.prependListener('request', (_request, response) => {
      if (this.leaving) closesWith(response);
      this.unread.watch(response);
      this.underWay.add(response);
      response.once('close', () => this.underWay.delete(response));
    });
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      const isAnswered = [...this.underWay].some((response) => response.socket === socket && response.headersSent);
      if (!socket.writable || isAnswered) socket.destroy();
      else socket.end(refusalOf(error), () => socket.destroy());
    });
  }

  /** The drain is about to begin. */
  override beforeClose(): void {
    super.beforeClose();
    this.leaving = true;
    this.underWay.forEach(closesWith);
  }

  override async close(): Promise<void> {
    const { server } = this;
    if (server.listening) {
      await this.acceptAll();
      // An HTTP server's own `close` would close the connections at once that have no request.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      const over = new AbortController();
      const { signal } = over;
      void delay(IDLE_MS, undefined, { signal }).then(
        () => this.closeIdle(),
        () => undefined,
      );
      await Promise.race([closed, delay(GRACE_MS, undefined, { signal }).catch(() => undefined)]);
      over.abort();
    }
    this.unread.close();
    await super.close();
  }

  /** Closing would reset a connection that waits to be accepted. A turn of the event loop accepts at most one. */
  private async acceptAll(): Promise<void> {
    let quietTurns = 0;
    const note = (): void => void (quietTurns = 0);
    this.server.on('connection', note);
    const until = Date.now() + ACCEPT_MS;
    while (quietTurns < QUIET_TURNS && Date.now() < until) {
      quietTurns += 1;
      await new Promise(setImmediate);
    }
    this.server.off('connection', note);
  }

  /** After a stall of the event loop requests wait to be read: they are read first. */
  private async closeIdle(): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn += 1) await new Promise(setImmediate);
    this.server.closeIdleConnections();
  }

  private get server(): Server {
    return this.httpServer;
  }
}

/** Express's last error handler: it answers in the shape of all errors when no filter has answered. */
export function lastErrorHandler(logger: LoggerService): ErrorRequestHandler {
  // Express recognises an error handler by its four parameters.
  return (error, _request, response, _next) => {
    logger.error(error);
    answerInternal(response);
  };
}

function closesWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

/** The answer to what Node's parser refuses before there is a request, by the error's code. */
const PARSER_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/** A whole HTTP response, in the shape of every other error. */
function refusalOf({ code = '' }: NodeJS.ErrnoException): string {
  const status = PARSER_STATUS[code] ?? 400;
  const body = JSON.stringify({ code: 'INVALID_MESSAGE', message: STATUS_CODES[status]?.toLowerCase() });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
