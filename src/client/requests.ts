/**
 * Frames that want a reply, and the promises that wait for it.
 *
 * A *lasting* request survives its connection: it is sent again on the next one until the server has answered it. That is
 * safe for what this client sends: the same answer, cancellation or acknowledgement again changes nothing and gets the
 * same reply. A *passing* request ends with its connection.
 */
import type { ErrorCode } from '../protocol/codes.js';
import type { ErrorMessage } from '../protocol/messages.js';
import { errorOf } from './errors.js';

export interface ServerReply {
  type: string;
  request_id?: unknown;
  [field: string]: unknown;
}

interface Entry {
  frame: object;
  lasting: boolean;
  sent: boolean;
  resolve(reply: ServerReply): void;
  reject(error: Error): void;
}

/** The server could not say yet: the same frame is sent again after a pause. */
const AGAIN: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'BUSY', 'RATE_LIMITED']);
const PAUSE_MS = 1000;

/** A passing request whose connection broke. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError';
}

export class Requests {
  private readonly entries = new Map<number, Entry>();
  private next = 1;
  private ready = false;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: (frame: object) => boolean) {}

  /** Sends when the connection is ready, as often as it takes. */
  lasting(frame: object): Promise<ServerReply> {
    return this.add(frame, true, this.ready);
  }

  /** Sends now, ready or not: what makes the connection ready. */
  passing(frame: object): Promise<ServerReply> {
    return this.add(frame, false, true);
  }

  /** The connection is authenticated and subscribed: sends what waits. */
  onReady(): void {
    this.ready = true;
    for (const [id, entry] of this.entries) if (entry.lasting && !entry.sent) this.transmit(id, entry);
  }

  onLost(): void {
    this.ready = false;
    clearTimeout(this.retry);
    this.retry = undefined;
    for (const [id, entry] of this.entries) {
      entry.sent = false;
      if (!entry.lasting) this.finish(id)?.reject(new ConnectionLostError('the connection broke'));
    }
  }

  /** @returns whether the frame was a reply to one of these */
  onFrame(frame: ServerReply): boolean {
    const id = frame.request_id;
    const entry = typeof id === 'number' ? this.entries.get(id) : undefined;
    if (!entry || typeof id !== 'number') return false;
    if (frame.type !== 'error') this.finish(id)?.resolve(frame);
    else {
      const error = frame as unknown as ErrorMessage;
      if (entry.lasting && AGAIN.has(error.code)) this.sendLater(entry);
      else this.finish(id)?.reject(errorOf(error));
    }
    return true;
  }

  rejectAll(error: Error): void {
    clearTimeout(this.retry);
    for (const id of [...this.entries.keys()]) this.finish(id)?.reject(error);
  }

  private add(frame: object, lasting: boolean, now: boolean): Promise<ServerReply> {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      const entry: Entry = { frame, lasting, sent: false, resolve, reject };
      this.entries.set(id, entry);
      if (now) this.transmit(id, entry);
    });
  }

  private transmit(id: number, entry: Entry): void {
    entry.sent = this.send({ ...entry.frame, request_id: id });
  }

  private sendLater(entry: Entry): void {
    entry.sent = false;
    this.retry ??= setTimeout(() => {
      this.retry = undefined;
      if (this.ready) this.onReady();
    }, PAUSE_MS);
  }

  private finish(id: number): Entry | undefined {
    const entry = this.entries.get(id);
    this.entries.delete(id);
    return entry;
  }
}
