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

export interface Requests {
  /**
   * Sends when the connection is ready, and again after every reconnect until there is a reply.
   * @throws ServerError, ClientClosedError, TooManyRequestsError, RequestTooLargeError, TypeError (no JSON)
   */
  lasting(frame: Frame): Promise<ServerMessage>;
  /** Sends at once, ready or not: this is what makes a connection ready. @throws ServerError, ConnectionLostError */
  passing(frame: object): Promise<ServerMessage>;
  /** The connection is authenticated and subscribed: sends what waits. */
  onReady(): void;
  /** @param code the close code: after 1009 the largest request is the one that was refused, since smaller ones pass */
  onLost(code: number): void;
  /** @returns whether the frame was a reply to one of these */
  onFrame(frame: ServerMessage): boolean;
  /** Nothing is sent any more: what waits, and what comes, rejects with `error`. */
  close(error: Error): void;
}

/** @param send hands a text to the connection, and returns whether there is one */
export function createRequests(send: (text: string) => boolean): Requests {
  const entries = new Map<number, Entry>();
  let next = 1;
  let isReady = false;
  let closedBy: Error | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const finish = (id: number): Entry | undefined => {
    const entry = entries.get(id);
    entries.delete(id);
    return entry;
  };

  const transmit = (id: number, entry: Entry): void => {
    entry.sent = send(entry.encode());
    if (!entry.sent && !entry.lasting) finish(id)?.reject(new ConnectionLostError());
  };

  const add = (frame: Frame, lasting: boolean, now: boolean): Promise<ServerMessage> =>
    new Promise((resolve, reject) => {
      if (closedBy) throw closedBy;
      if (lasting && entries.size >= MOST_WAITING) throw new TooManyRequestsError(`${MOST_WAITING} requests wait already`);
      const id = next++;
      const isLate = typeof frame === 'function';
      const encode = (): string => JSON.stringify({ ...(isLate ? frame() : frame), request_id: id });
      // What JSON cannot hold throws here, and not when it is sent.
      const text = encode();
      const entry: Entry = { encode: isLate ? encode : () => text, lasting, sent: false, resolve, reject };
      entries.set(id, entry);
      if (now) transmit(id, entry);
    });

  const onReady = (): void => {
    isReady = true;
    for (const [id, entry] of entries) if (!entry.sent) transmit(id, entry);
  };

  const refuseLargest = (): void => {
    let [refused, largest] = [0, 0];
    for (const [id, { sent, encode }] of entries) {
      const size = sent ? new TextEncoder().encode(encode()).length : 0;
      if (size > largest) [refused, largest] = [id, size];
    }
    finish(refused)?.reject(new RequestTooLargeError(`the server takes no frame of ${largest} bytes`));
  };

  const sendLater = (entry: Entry): void => {
    entry.sent = false;
    retry ??= setTimeout(() => {
      retry = undefined;
      if (isReady) onReady();
    }, PAUSE_MS);
  };

  return {
    lasting: (frame) => add(frame, true, isReady),
    passing: (frame) => add(frame, false, true),
    onReady,
    onLost(code) {
      isReady = false;
      clearTimeout(retry);
      retry = undefined;
      if (code === TOO_LARGE) refuseLargest();
      for (const [id, entry] of entries) {
        entry.sent = false;
        if (!entry.lasting) finish(id)?.reject(new ConnectionLostError());
      }
    },
    onFrame(frame) {
      const id = frame.request_id as number;
      const entry = entries.get(id);
      if (!entry) return false;
      const error = frame as unknown as ErrorMessage;
      if (frame.type !== 'error') finish(id)?.resolve(frame);
      else if (entry.lasting && (isTemporary(error) || error.code === 'UNAUTHENTICATED')) sendLater(entry);
      else finish(id)?.reject(errorOf(error));
      return true;
    },
    close(error) {
      closedBy = error;
      for (const id of [...entries.keys()]) finish(id)?.reject(error);
    },
  };
}
