/** What tabs of one browser do over one connection, without a browser. */
import { once } from 'node:events';
import { SharedSocket } from '../../src/client/shared-socket.js';
import { TabHub, type Delivery } from '../../src/client/tab-hub.js';
import type { SocketEvent, SocketLike } from '../../src/client/socket.js';

type Frame = Record<string, unknown>;

class Hub {
  readonly up: Frame[] = [];
  readonly down: Delivery[] = [];
  private readonly hub = new TabHub(
    (text) => this.up.push(JSON.parse(text) as Frame),
    (delivery) => this.down.push(delivery),
  );

  get largest(): string {
    return this.hub.largest;
  }

  tab(tab: string, frame: Frame): void {
    this.hub.onTab(tab, JSON.stringify(frame));
  }

  bye(tab: string): void {
    this.hub.onBye(tab);
  }

  server(frame: Frame): void {
    this.hub.onServer(JSON.stringify(frame));
  }
}

class FakeSocket implements SocketLike {
  readyState = 0;
  private readonly listeners = new Map<string, (event: SocketEvent) => void>();
  send = (): void => undefined;

  addEventListener(type: string, listener: (event: SocketEvent) => void): void {
    this.listeners.set(type, listener);
  }

  emit(type: string, event: SocketEvent = {}): void {
    this.readyState = type === 'open' ? 1 : 3;
    this.listeners.get(type)?.(event);
  }

  close(): void {
    this.emit('close', { code: 1000 });
  }
}

describe('the tab that holds the connection', () => {
  it('leaves a channel when the last tab that had it is gone', () => {
    const hub = new Hub();
    for (const tab of ['a', 'b']) hub.tab(tab, { action: 'subscribe', channels: [{ channel: 'news' }], request_id: 1 });
    hub.bye('a');
    expect(hub.up).toHaveLength(2);
    hub.bye('b');
    expect(hub.up[2]).toMatchObject({ action: 'unsubscribe', channel: 'news' });
    hub.server({ type: 'unsubscribed', channel: 'news', request_id: hub.up[2]?.['request_id'] });
    expect(hub.down.every(({ to }) => to !== 'a' && to !== 'b')).toBe(true);
  });

  it('says to every tab that a channel was not recovered, also to those that did not ask', () => {
    const hub = new Hub();
    const recover = { epoch: 'e', offset: 3 };
    hub.tab('gone', { action: 'subscribe', channels: [{ channel: 'news', recover }], request_id: 1 });
    hub.server({ type: 'recovered', channel: 'news', recovered: false, epoch: 'f', offset: 7 });
    expect(hub.down).toMatchObject([{ text: expect.stringContaining('"recovered":false') as string }]);
    expect(hub.down[0]?.to).toBeUndefined();
  });

  it('says to the other tabs how one of them has answered', () => {
    const hub = new Hub();
    hub.tab('a', { action: 'confirm', callback_id: 'p1', proceed: true, choice: 'now', request_id: 4 });
    hub.server({ type: 'confirmation_accepted', callback_id: 'p1', request_id: 'a:4' });
    const [reply, resolved] = hub.down;
    expect(reply).toMatchObject({ to: 'a' });
    expect(resolved?.except).toBe('a');
    const message = { type: 'confirmation_resolved', callback_id: 'p1', outcome: 'answered', proceed: true };
    expect(JSON.parse(resolved?.text ?? '')).toEqual({ ...message, choice: 'now', via: 'websocket' });
  });

  it('knows whose frame was the largest, which is the one that was too large', () => {
    const hub = new Hub();
    hub.tab('a', { action: 'confirm', feedback: 'ä'.repeat(100), request_id: 1 });
    hub.tab('b', { action: 'confirm', feedback: 'a'.repeat(150), request_id: 1 });
    expect(hub.largest).toBe('a');
  });
});

describe('a tab', () => {
  it.each(['SecurityError', 'InvalidStateError'])('opens a connection of its own when the lock is refused: %s', async (name) => {
    const own = new FakeSocket();
    const refused = Object.assign(new Error('no locks here'), { name });
    const opened = new Promise<SharedSocket>((resolve) => {
      const locks = { request: () => Promise.reject(refused) };
      const socket: SharedSocket = new SharedSocket(locks, `refused ${name}`, () => {
        queueMicrotask(() => resolve(socket));
        return own;
      });
    });
    const socket = await opened;
    const events = new EventTarget();
    const closed = once(events, 'close');
    socket.addEventListener('close', ({ code }) => events.dispatchEvent(Object.assign(new Event('close'), { code })));
    own.emit('open');
    expect(socket.readyState).toBe(1);
    socket.close();
    await closed;
  });
});
