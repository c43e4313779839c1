/**
 * One connection after another to the same address.
 *
 *  1. `state` is a union. Each phase owns its socket and its one timer, and ends them when it ends.
 *  2. A peer is dead when nothing comes for `silenceMs` after a ping. The socket is given up and another is opened.
 *  3. A connection counts as working once its owner says so. Until then the client is away, and waits longer and longer
 *     (`backoff.ts`).
 *  4. What wakes a page or machine ends a wait at once, unless the server has no room, and makes an open connection prove
 *     within `WAKE_MS` that it works.
 */
import { isCrowded, waitAfter } from './backoff.js';
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

export class ReconnectingSocket {
  private current: ConnectionState = { status: 'connecting' };
  private socket: SocketLike | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last connection that worked ended, by a clock that does not jump. */
  private awaySince: number | undefined;
  private readonly stopWatching: () => void;

  constructor(
    private readonly timings: Timings,
    private readonly handlers: SocketHandlers,
  ) {
    this.stopWatching = watchPage({
      onWake: () => this.wake(),
      onHide: () => {
        if (this.socket) this.renew(1001, 'the page is hidden');
      },
    });
  }

  get state(): ConnectionState {
    return this.current;
  }

  get isOpen(): boolean {
    return this.socket?.readyState === OPEN;
  }

  connect(): void {
    const connecting: ConnectionState = { status: 'connecting' };
    this.expect(this.timings.silenceMs);
    this.enter(connecting);
    this.handlers.open().then(
      (socket) => {
        if (this.current === connecting) this.attach(socket);
        else socket.close();
      },
      (error: unknown) => {
        if (this.current !== connecting) return;
        this.handlers.onError(error);
        this.lost(1006, 'the connection could not be prepared');
      },
    );
  }

  /** @returns whether the frame was handed to an open connection */
  send(text: string): boolean {
    if (!this.socket || !this.isOpen) return false;
    this.socket.send(text);
    return true;
  }

  /** The connection has done what it is for. */
  onWorking(): void {
    this.awaySince = undefined;
  }

  /** Gives the connection up and opens another: it is dead, or the server does not take it as it is. */
  renew(code: number, reason: string): void {
    const { socket } = this;
    this.lost(code, reason);
    socket?.close();
  }

  close(reason: string): void {
    const { socket } = this;
    this.detach();
    this.stopWatching();
    this.enter({ status: 'closed', reason });
    socket?.close();
  }

  private attach(socket: SocketLike): void {
    this.socket = socket;
    this.expect(this.timings.silenceMs);
    const listen = (type: string, handle: (event: SocketEvent) => void): void =>
      socket.addEventListener(type, (event) => {
        if (this.socket === socket) handle(event);
      });
    listen('open', () => {
      this.enter({ status: 'open' });
      this.waitForQuiet();
      this.handlers.onOpen();
    });
    listen('message', ({ data }) => {
      this.waitForQuiet();
      if (typeof data === 'string') this.handlers.onText(data);
    });
    listen('error', () => undefined); // 'close' follows
    listen('close', ({ code = 1006, reason = '' }) => this.lost(code, reason));
  }

  private wake(): void {
    if (this.current.status === 'waiting') {
      if (!isCrowded(this.current.code)) this.connect();
    } else if (this.isOpen) this.probe(Math.min(WAKE_MS, this.timings.silenceMs));
    else if (this.socket) this.expect(WAKE_MS);
  }

  private lost(code: number, reason: string): void {
    this.detach();
    const now = performance.now();
    const waitMs = waitAfter(code, now - (this.awaySince ??= now), Math.random);
    const why = `${code} ${reason}`.trim();
    if (waitMs === null) {
      this.stopWatching();
      this.enter({ status: 'closed', reason: why, code });
    } else {
      this.timer = setTimeout(() => this.connect(), waitMs);
      this.enter({ status: 'waiting', reason: why, code, nextTryAt: Date.now() + waitMs });
    }
    this.handlers.onLost(code);
  }

  private detach(): void {
    clearTimeout(this.timer);
    this.socket = undefined;
  }

  private waitForQuiet(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.probe(this.timings.silenceMs), this.timings.quietMs);
  }

  private probe(withinMs: number): void {
    this.handlers.sendPing();
    this.expect(withinMs);
  }

  private expect(withinMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(1006, 'the server is silent'), withinMs);
  }

  private enter(state: ConnectionState): void {
    this.current = state;
    this.handlers.onState(state);
  }
}
