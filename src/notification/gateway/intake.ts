/** How far connections and requests have come, for `Reading`: what of them was read, and what of that has been handed over. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Backlog, Intake } from '../connection/backlog.js';
import type { Connection } from '../connection/connection.js';
import type { Reading } from '../connection/reading.js';

/** The intake of a WebSocket: of the one, or of the stream beneath it. */
class SocketIntake implements Intake {
  bytesRead = 0;
  pauses = 0;
  readonly backlog: Backlog;

  constructor(
    readonly reading: Reading,
    private readonly ws: WebSocket,
    private readonly stream: Duplex,
    private readonly connection: Connection,
  ) {
    this.backlog = reading.newBacklog(this);
  }

  get bytesParsed(): number {
    return this.connection.isOpen ? this.bytesRead - bytesInParser(this.ws) : this.bytesRead;
  }

  get isPaused(): boolean {
    return this.connection.isOpen && (this.ws.isPaused || this.stream.isPaused());
  }

  get framesParsed(): number {
    const { incoming, isOpen } = this.connection;
    return isOpen ? incoming.taken : incoming.handedOver;
  }

  get framesHandedOver(): number {
    return this.connection.incoming.handedOver;
  }

  get isClear(): boolean {
    return this.bytesParsed === this.bytesRead && this.framesParsed === this.framesHandedOver && !this.isPaused;
  }
}

const INTAKE = Symbol('intake');
/** Listeners are shared by all streams, and find the intake here. */
interface FollowedStream extends Duplex {
  [INTAKE]?: SocketIntake;
}

/** Follows a connection from its upgrade until its socket closes. */
export function followConnection(reading: Reading, ws: WebSocket, stream: FollowedStream, connection: Connection): void {
  const intake = new SocketIntake(reading, ws, stream, connection);
  connection.arrival = intake.backlog;
  stream[INTAKE] = intake;
  stream.on('data', onData);
  stream.on('pause', onPause);
  stream.on('close', onClose);
}

function onData(this: FollowedStream, chunk: Buffer): void {
  const intake = this[INTAKE];
  if (!intake) return;
  intake.bytesRead += chunk.length;
  intake.reading.holds(intake.backlog);
}

function onPause(this: FollowedStream): void {
  const intake = this[INTAKE];
  if (!intake) return;
  intake.pauses += 1;
  intake.reading.holds(intake.backlog);
}

function onClose(this: FollowedStream): void {
  const intake = this[INTAKE];
  intake?.reading.forget(intake.backlog);
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
