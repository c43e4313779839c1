/** How far connections and requests have come, for `Reading`: what of them was read, and what of that has been handed over. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Intake } from '../connection/backlog.js';
import type { Connection } from '../connection/connection.js';
import type { Reading } from '../connection/reading.js';

/** Follows a connection from its upgrade until its socket closes. */
export function followConnection(reading: Reading, ws: WebSocket, socket: Duplex, connection: Connection): void {
  let bytesRead = 0;
  let pauses = 0;
  const intake: Intake = {
    get bytesRead() {
      return bytesRead;
    },
    get bytesParsed() {
      return connection.isOpen ? bytesRead - bytesInParser(ws) : bytesRead;
    },
    get isPaused() {
      return connection.isOpen && (ws.isPaused || socket.isPaused());
    },
    get pauses() {
      return pauses;
    },
    get framesParsed() {
      return connection.isOpen ? connection.framesTaken : connection.framesHandedOver;
    },
    get framesHandedOver() {
      return connection.framesHandedOver;
    },
    get isClear() {
      return this.bytesParsed === bytesRead && this.framesParsed === this.framesHandedOver && !this.isPaused;
    },
    handedOver: () => connection.handOverFrame(),
  };
  const backlog = reading.newBacklog(intake);
  connection.arrival = backlog;
  socket.on('data', (chunk: Buffer) => {
    bytesRead += chunk.length;
    reading.holds(backlog);
  });
  socket.on('pause', () => {
    pauses += 1;
    reading.holds(backlog);
  });
  socket.once('close', () => reading.forget(backlog));
}

/** `ws` emits one frame a turn, and inflates in other threads: what has not come yet is in its receiver, a `Writable`. */
function bytesInParser(ws: WebSocket): number {
  return (ws as unknown as { _receiver?: { writableLength: number } })._receiver?.writableLength ?? 0;
}

/** Follows the requests that decide something until the engine has them. */
export function followRequests(reading: Reading, server: Server): void {
  server.on('connection', () => reading.accepted());
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!decides(request)) return;
    let isHandedOver = false;
    const intake: Intake = {
      bytesRead: 0,
      bytesParsed: 0,
      isPaused: false,
      pauses: 0,
      // The rest of a body that has not come is not waited for; one that we do not read yet is.
      get framesParsed() {
        return isHandedOver || request.complete || request.readableFlowing !== true ? 1 : 0;
      },
      get framesHandedOver() {
        return Number(isHandedOver);
      },
      get isClear() {
        return isHandedOver;
      },
      handedOver: () => (isHandedOver = true),
    };
    const backlog = reading.holdRequest(request, intake);
    response.once('close', () => reading.forget(backlog));
  });
}

/** Answers, withdrawals and cancellations, under whichever prefix the application serves them. */
function decides({ method, url = '' }: IncomingMessage): boolean {
  const path = url.replace(/\?.*/s, '');
  if (method === 'POST') return /\/(answer|cancel)\/?$|\/answer\/[^/]+$/.test(path);
  return method === 'DELETE' && /\/confirmations\/[^/]+\/?$/.test(path);
}
