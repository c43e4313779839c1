/**
 * A socket that tabs of one browser share. Each tab has one, and one of them, the *holder*, has the connection.
 *
 *  1. The holder is the tab that has the Web Lock. The browser gives the lock to the next tab when the holder ends.
 *  2. All tabs lose the connection together, with its close code, and each connects again as it would by itself.
 *  3. A holder that answers nobody (a frozen tab) loses the lock to the first tab that asks in vain.
 */
import type { LockManager } from './platform.js';
import type { SocketEvent, SocketLike } from './socket.js';
import { TabHub, type Delivery } from './tab-hub.js';

/** What tabs send each other. */
type TabMessage =
  | { kind: 'hello' }
  | { kind: 'state'; isOpen: boolean }
  | { kind: 'up'; from: string; text: string }
  | ({ kind: 'down' } & Delivery)
  | { kind: 'bye'; from: string }
  /** `largest`: the tab whose frame was too large, after 1009. */
  | { kind: 'closed'; code: number; reason: string; largest?: string };

interface TabChannel {
  onmessage: (event: { data: unknown }) => void;
  postMessage(message: TabMessage): void;
  close(): void;
}

/** `readyState` of a socket that can send. */
const OPEN = 1;
/** A holder answers at once; later than this it is frozen. */
const STEAL_AFTER_MS = 3000;
/** A lock may arrive before the message that says how the connection ended. */
const LAST_WORD_MS = 100;

export class SharedSocket implements SocketLike {
  readyState = 0;
  private readonly id = Math.random().toString(36).slice(2);
  private readonly tabs: TabChannel;
  private readonly waiting = new AbortController();
  private readonly listeners = new Map<string, (event: SocketEvent) => void>();
  private stealing: ReturnType<typeof setTimeout> | undefined;
  private connection: SocketLike | undefined;
  private hub: TabHub | undefined;
  private release: () => void = () => undefined;

  /**
   * @param locks the browser's
   * @param name the same in all tabs that may share
   * @param open makes the real socket
   */
  constructor(
    private readonly locks: LockManager,
    private readonly name: string,
    private readonly open: () => SocketLike,
  ) {
    this.tabs = new (globalThis as unknown as { BroadcastChannel: new (name: string) => TabChannel }).BroadcastChannel(
      `websocket-manager ${name}`,
    );
    this.tabs.onmessage = ({ data }) => this.onTab(data as TabMessage);
    this.requestLock({ signal: this.waiting.signal });
    this.post({ kind: 'hello' });
    this.stealing = setTimeout(() => {
      this.waiting.abort();
      this.requestLock({ steal: true });
    }, STEAL_AFTER_MS);
  }

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.listeners.set(type, listener);
  }

  send(text: string): void {
    if (this.hub) this.hub.onTab(this.id, text);
    else this.post({ kind: 'up', from: this.id, text });
  }

  close(): void {
    this.end(1000, '');
  }

  private requestLock(options: { steal?: boolean; signal?: AbortSignal }): void {
    const held = (): Promise<void> =>
      new Promise((resolve) => {
        this.release = resolve;
        if (this.readyState > OPEN) resolve();
        else if (this.readyState === OPEN)
          setTimeout(() => this.end(1001, 'the tab that held the connection is gone'), LAST_WORD_MS);
        else this.hold();
      });
    const lost = ({ name }: Error): void => {
      // Taken by a tab that asked in vain; aborted by this tab, which waits no longer; or refused, as in a sandboxed frame.
      if (this.connection) this.end(1001, 'another tab took the connection');
      else if (name !== 'AbortError' && this.readyState === 0) this.hold();
    };
    this.locks.request(`websocket-manager ${this.name}`, options, held).catch(lost);
  }

  private hold(): void {
    clearTimeout(this.stealing);
    const connection = (this.connection = this.open());
    this.hub = new TabHub(
      (text) => {
        if (connection.readyState === OPEN) connection.send(text);
      },
      (delivery) => {
        this.onDelivery(delivery);
        if (delivery.to !== this.id) this.post({ kind: 'down', ...delivery });
      },
    );
    this.post({ kind: 'state', isOpen: false });
    connection.addEventListener('open', () => {
      this.post({ kind: 'state', isOpen: true });
      this.onOpen();
    });
    connection.addEventListener('message', ({ data }) => this.hub?.onServer(String(data)));
    connection.addEventListener('error', () => undefined); // 'close' follows
    connection.addEventListener('close', ({ code = 1006, reason = '' }) => this.end(code, reason));
  }

  private onTab(message: TabMessage): void {
    if (message.kind === 'hello' && this.connection) this.post({ kind: 'state', isOpen: this.connection.readyState === OPEN });
    else if (message.kind === 'up') this.hub?.onTab(message.from, message.text);
    else if (message.kind === 'bye') this.hub?.onBye(message.from);
    else if (this.connection)
      return; // a tab that held the connection before
    else if (message.kind === 'state') {
      clearTimeout(this.stealing);
      if (message.isOpen) this.onOpen();
    } else if (message.kind === 'down') this.onDelivery(message);
    else if (message.kind === 'closed') this.end(message.code, message.reason, message.largest);
  }

  private onOpen(): void {
    if (this.readyState > 0) return;
    this.readyState = OPEN;
    this.emit('open', {});
  }

  private onDelivery({ to = this.id, except, text }: Delivery): void {
    if (to === this.id && except !== this.id && this.readyState === OPEN) this.emit('message', { data: text });
  }

  private end(code: number, reason: string, largest = this.hub?.largest): void {
    if (this.readyState > OPEN) return;
    this.readyState = 3;
    clearTimeout(this.stealing);
    if (this.connection) this.post({ kind: 'closed', code: code === 1000 ? 1001 : code, reason, largest });
    else this.post({ kind: 'bye', from: this.id });
    this.connection?.close();
    this.tabs.close();
    this.waiting.abort();
    this.release();
    // One tab's frame was too large for the server. The others lose the connection with it, and no request.
    this.emit('close', { code: code === 1009 && largest !== this.id ? 1006 : code, reason });
  }

  private post(message: TabMessage): void {
    this.tabs.postMessage(message);
  }

  private emit(type: string, event: SocketEvent): void {
    this.listeners.get(type)?.(event);
  }
}
