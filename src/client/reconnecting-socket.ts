/**
 * One connection after another to the same address.
 *
 *  1. `state` is a union. Each phase owns its socket and its one timer, and ends them when it ends.
 *  2. A peer is dead when nothing comes for `silenceMs` after a ping. The socket is given up and another is opened.
 *  3. A connection counts as working once its owner says so. Until then the client is away, and waits longer and longer
 *     (`back-off.ts`).
 *  4. What wakes a page or machine ends a wait at once, unless the server has no room, and makes an open connection prove
 *     within `WAKE_MS` that it works.
 */
import { isCrowded, waitAfter } from './back-off.js';
import { watchPage } from './platform.js';
import type { SocketEvent, SocketLike } from './socket.js';

export type ConnectionState =
  | { status: 'connecting' }
  | { status: 'open' }
  /** `nextTryAt`: Unix milliseconds, by this machine's clock. `reason`: the close code and its text. */
  | { status: 'waiting'; reason: string; code: number; nextTryAt: number }
  /** For good: closed by the application, which has no `code`, or by a code that says not to come back. */
  | { status: 'closed'; reason: string; code?: number };

export interface Timings {
  /** Nothing has come for this long: a ping is sent. */
  quietMs: number;
  /** Nothing has come for this long after the ping: the peer is dead. Also the limit for `open`, and for opening a connection. */
  silenceMs: number;
}

export interface SocketHandlers {
  /** Makes a socket. A promise that rejects counts as a failed attempt, and is reported. */
  open(): Promise<SocketLike>;
  onOpen(): void;
  onText(text: string): void;
  /** The connection has ended. Another follows unless the state is `closed`. */
  onLost(code: number): void;
  onState(state: ConnectionState): void;
  onError(error: unknown): void;
  /** Sends what the server answers with a frame. */
  sendPing(): void;
}

/** `readyState` of a socket that can send. */
const OPEN = 1;
const WAKE_MS = 4000;

const ignore = (): void => undefined;

export interface ReconnectingSocket {
  readonly state: ConnectionState;
  connect(): void;
  /** @returns whether the frame was handed to an open connection */
  send(text: string): boolean;
  /** The connection has done what it is for. */
  onWorking(): void;
  /** Gives the connection up and opens another: it is dead, or the server does not take it as it is. */
  renew(code: number, reason: string): void;
  close(reason: string): void;
}

export function createReconnectingSocket({ quietMs, silenceMs }: Timings, handlers: SocketHandlers): ReconnectingSocket {
  let state: ConnectionState = { status: 'connecting' };
  let current: SocketLike | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last connection that worked ended, by a clock that does not jump. */
  let awaySince: number | undefined;

  const isOpen = (): boolean => current?.readyState === OPEN;

  const enter = (entered: ConnectionState): void => {
    state = entered;
    handlers.onState(entered);
  };

  /** @returns the socket that is left */
  const detach = (): SocketLike | undefined => {
    clearTimeout(timer);
    const socket = current;
    current = undefined;
    return socket;
  };

  const after = (delayMs: number, act: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(act, delayMs);
  };

  const expect = (withinMs: number): void => after(withinMs, () => renew(1006, 'the server is silent'));

  const probe = (withinMs: number): void => {
    handlers.sendPing();
    expect(withinMs);
  };

  const waitForQuiet = (): void => after(quietMs, () => probe(silenceMs));

  const lost = (code: number, reason: string): void => {
    detach();
    const now = performance.now();
    const waitMs = waitAfter(code, now - (awaySince ??= now), Math.random);
    const why = `${code} ${reason}`.trim();
    if (waitMs === null) {
      stopWatching();
      enter({ status: 'closed', reason: why, code });
    } else {
      after(waitMs, connect);
      enter({ status: 'waiting', reason: why, code, nextTryAt: Date.now() + waitMs });
    }
    handlers.onLost(code);
  };

  const renew = (code: number, reason: string): void => {
    if (state.status === 'closed') return;
    const socket = current;
    lost(code, reason);
    socket?.close();
  };

  const attach = (socket: SocketLike): void => {
    current = socket;
    expect(silenceMs);
    const listen = (type: string, handle: (event: SocketEvent) => void): void =>
      socket.addEventListener(type, (event) => {
        if (current === socket) handle(event);
      });
    listen('open', () => {
      waitForQuiet();
      enter({ status: 'open' });
      // A listener may have closed it.
      if (current === socket) handlers.onOpen();
    });
    listen('message', ({ data }) => {
      waitForQuiet();
      if (typeof data === 'string') handlers.onText(data);
    });
    listen('error', ignore); // 'close' follows
    listen('close', ({ code = 1006, reason = '' }) => lost(code, reason));
  };

  const connect = (): void => {
    const connecting: ConnectionState = { status: 'connecting' };
    expect(silenceMs);
    enter(connecting);
    handlers.open().then(
      (socket) => {
        if (state === connecting) return attach(socket);
        socket.addEventListener('error', ignore); // in Node one without a listener ends the process
        socket.close();
      },
      (error: unknown) => {
        if (state !== connecting) return;
        handlers.onError(error);
        lost(1006, 'the connection could not be prepared');
      },
    );
  };

  const wake = (): void => {
    if (state.status === 'waiting') {
      if (!isCrowded(state.code)) connect();
    } else if (isOpen()) probe(Math.min(WAKE_MS, silenceMs));
    else if (current) expect(WAKE_MS);
  };

  const stopWatching = watchPage({
    onWake: wake,
    onHide: () => {
      if (current) renew(1001, 'the page is hidden');
    },
  });

  return {
    get state() {
      return state;
    },
    connect,
    send(text) {
      if (!isOpen()) return false;
      current?.send(text);
      return true;
    },
    onWorking() {
      awaySince = undefined;
    },
    renew,
    close(reason) {
      const socket = detach();
      stopWatching();
      enter({ status: 'closed', reason });
      socket?.close();
    },
  };
}
