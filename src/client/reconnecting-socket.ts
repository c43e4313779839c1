/**
 * One connection after another to the same address.
 *
 *  1. `state` is a union; each phase owns its socket and its timers, and takes them with it when it ends.
 *  2. A peer is dead when nothing has come for `silenceMs` after a ping: the socket is given up and opened again.
 *  3. A connection counts as working once the first frame has come; until then failures add up (`backoff.ts`).
 *  4. `online`, a page that is shown again, and a page from the back-forward cache end a wait at once, and make an open
 *     connection prove that it lives.
 */
import { waitAfter } from './backoff.js';
import { onWake, type SocketConstructor, type SocketLike } from './platform.js';

export type ConnectionState =
  | { status: 'connecting' }
  | { status: 'open' }
  /** `nextTryAt`: Unix milliseconds, by this machine's clock. */
  | { status: 'waiting'; reason: string; nextTryAt: number }
  /** For good: closed here, or by a code that says not to come back. */
  | { status: 'closed'; reason: string };

interface Timings {
  /** Nothing has come for so long: a ping is sent. */
  quietMs: number;
  /** Nothing has come for so long after the ping: the peer is dead. */
  silenceMs: number;
}

export interface SocketHandlers {
  onOpen(): void;
  onText(text: string): void;
  /** The connection is gone; another follows unless the state is `closed`. */
  onLost(code: number): void;
  onState(state: ConnectionState): void;
  /** Something that makes the server send a frame. */
  sendPing(): void;
}

const OPEN = 1;

export class ReconnectingSocket {
  private current: ConnectionState = { status: 'closed', reason: 'not started' };
  private socket: SocketLike | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private readonly stopWaking: () => void;

  constructor(
    private readonly url: string,
    private readonly WebSocket: SocketConstructor,
    private readonly timings: Timings,
    private readonly handlers: SocketHandlers,
  ) {
    this.stopWaking = onWake(() => this.wake());
  }

  get state(): ConnectionState {
    return this.current;
  }

  get isOpen(): boolean {
    return this.socket?.readyState === OPEN;
  }

  connect(): void {
    clearTimeout(this.timer);
    this.enter({ status: 'connecting' });
    const socket = new this.WebSocket(this.url, ['notification.v1']);
    this.socket = socket;
    this.expect(this.timings.quietMs + this.timings.silenceMs);
    const ifCurrent =
      <Event>(handle: (event: Event) => void) =>
      (event: Event): void => {
        if (this.socket === socket) handle(event);
      };
    socket.addEventListener(
      'open',
      ifCurrent(() => {
        this.enter({ status: 'open' });
        this.waitForQuiet();
        this.handlers.onOpen();
      }),
    );
    socket.addEventListener(
      'message',
      ifCurrent(({ data }) => {
        this.attempt = 0;
        this.waitForQuiet();
        if (typeof data === 'string') this.handlers.onText(data);
      }),
    );
    socket.addEventListener('error', () => undefined); // 'close' follows
    socket.addEventListener(
      'close',
      ifCurrent(({ code = 1006, reason = '' }) => this.lost(code, reason)),
    );
  }

  /** @returns whether the frame was handed to an open connection */
  send(frame: object): boolean {
    if (!this.socket || !this.isOpen) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Gives the connection up and opens another: it is dead, or the server will not take it as it is. */
  renew(code: number, reason: string): void {
    const { socket } = this;
    this.lost(code, reason);
    socket?.close(1000);
  }

  close(reason: string): void {
    const { socket } = this;
    this.end();
    this.stopWaking();
    this.enter({ status: 'closed', reason });
    socket?.close(1000);
  }

  private wake(): void {
    if (this.current.status === 'waiting') this.connect();
    else if (this.current.status === 'open') this.probe();
  }

  private lost(code: number, reason: string): void {
    this.end();
    const waitMs = waitAfter(code, this.attempt, Math.random);
    this.attempt += 1;
    const why = `${code}${reason && ` ${reason}`}`;
    if (waitMs === null) {
      this.stopWaking();
      this.enter({ status: 'closed', reason: why });
    } else {
      this.enter({ status: 'waiting', reason: why, nextTryAt: Date.now() + waitMs });
      this.timer = setTimeout(() => this.connect(), waitMs);
    }
    this.handlers.onLost(code);
  }

  private end(): void {
    clearTimeout(this.timer);
    this.socket = undefined;
  }

  private waitForQuiet(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.probe(), this.timings.quietMs);
  }

  private probe(): void {
    this.handlers.sendPing();
    this.expect(this.timings.silenceMs);
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
