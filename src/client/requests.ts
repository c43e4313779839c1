/**
 * Frames that want a reply, and the promises that wait for it.
 *
 * A *lasting* request survives its connection: it is sent again on the next one until the server has answered it. That is
 * safe for what this client sends: the same answer, cancellation or acknowledgement again changes nothing and gets the
 * same reply. A *passing* request ends with its connection.
 */
import type { ErrorMessage } from '../protocol/messages.js';
import { ConnectionLostError, errorOf, isTemporary, RequestTooLargeError, TooManyRequestsError } from './errors.js';
import type { ServerMessage } from './frames.js';

/** A function is called whenever the frame is sent, for what is known only then. */
type Frame = object | (() => object);

interface Entry {
  encode: () => string;
  lasting: boolean;
  sent: boolean;
  resolve(reply: ServerMessage): void;
  reject(error: Error): void;
}

/** The server could not answer yet, or wants a new token first: the same frame is sent again after this. */
const PAUSE_MS = 1000;
const MOST_WAITING = 10_000;
const TOO_LARGE = 1009;

export class Requests {
  private readonly entries = new Map<number, Entry>();
  private next = 1;
  private ready = false;
  private closedBy: Error | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: (text: string) => boolean) {}

  /**
   * Sends when the connection is ready, and again after every reconnect until there is a reply.
   * @throws ServerError, ClientClosedError, TooManyRequestsError, RequestTooLargeError, TypeError (no JSON)
   */
  lasting(frame: Frame): Promise<ServerMessage> {
    return this.add(frame, true, this.ready);
  }

  /** Sends at once, ready or not: this is what makes a connection ready. @throws ServerError, ConnectionLostError */
  passing(frame: object): Promise<ServerMessage> {
    return this.add(frame, false, true);
  }

  /** The connection is authenticated and subscribed: sends what waits. */
  onReady(): void {
    this.ready = true;
    for (const [id, entry] of this.entries) if (!entry.sent) this.transmit(id, entry);
  }

  /** @param code the close code: after 1009 the largest request is the one that was refused, since smaller ones pass */
  onLost(code: number): void {
    this.ready = false;
    clearTimeout(this.retry);
    this.retry = undefined;
    if (code === TOO_LARGE) this.refuseLargest();
    for (const [id, entry] of this.entries) {
      entry.sent = false;
      if (!entry.lasting) this.finish(id)?.reject(new ConnectionLostError());
    }
  }

  /** @returns whether the frame was a reply to one of these */
  onFrame(frame: ServerMessage): boolean {
    const id = frame.request_id as number;
    const entry = this.entries.get(id);
    if (!entry) return false;
    if (frame.type !== 'error') this.finish(id)?.resolve(frame);
    else {
      const error = frame as unknown as ErrorMessage;
      if (entry.lasting && (isTemporary(error.code) || error.code === 'UNAUTHENTICATED')) this.sendLater(entry);
      else this.finish(id)?.reject(errorOf(error));
    }
    return true;
  }

  /** Nothing is sent any more: what waits, and what comes, rejects with `error`. */
  close(error: Error): void {
    this.closedBy = error;
    for (const id of [...this.entries.keys()]) this.finish(id)?.reject(error);
  }

  private add(frame: Frame, lasting: boolean, now: boolean): Promise<ServerMessage> {
    return new Promise((resolve, reject) => {
      if (this.closedBy) throw this.closedBy;
      if (lasting && this.entries.size >= MOST_WAITING) throw new TooManyRequestsError(`${MOST_WAITING} requests wait already`);
      const id = this.next++;
      const isLate = typeof frame === 'function';
      const encode = (): string => JSON.stringify({ ...(isLate ? frame() : frame), request_id: id });
      // What JSON cannot hold throws here, and not when it is sent.
      const text = encode();
      const entry: Entry = { encode: isLate ? encode : () => text, lasting, sent: false, resolve, reject };
      this.entries.set(id, entry);
      if (now) this.transmit(id, entry);
    });
  }

  private transmit(id: number, entry: Entry): void {
    entry.sent = this.send(entry.encode());
    if (!entry.sent && !entry.lasting) this.finish(id)?.reject(new ConnectionLostError());
  }

  private refuseLargest(): void {
    let [refused, largest] = [0, 0];
    for (const [id, { sent, encode }] of this.entries) {
      const size = sent ? new TextEncoder().encode(encode()).length : 0;
      if (size > largest) [refused, largest] = [id, size];
    }
    this.finish(refused)?.reject(new RequestTooLargeError(`the server takes no frame of ${largest} bytes`));
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
