/**
 * A WebSocket client with two verbs: `next()` awaits a frame, `closed()` awaits the end. Frames are kept in order until
 * they are asked for; whatever is awaited and does not come fails after a while, naming what did.
 */
import { CheckedSocket, type CheckedOptions } from './checked-socket.js';

export type Frame = Record<string, unknown> & { type: string };
export type Matcher = string | Record<string, unknown> | ((frame: Frame) => boolean);

const PATIENCE_MS = 10_000;

export class TestClient {
  readonly received: Frame[] = [];
  private readonly unread: Frame[] = [];
  private waiters: { matches: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = [];
  private readonly end: Promise<{ code: number; reason: string }>;
  private ended = false;
  private nextRequest = 1;

  private constructor(readonly socket: CheckedSocket) {
    this.end = new Promise((resolve) =>
      socket.once('close', (code, reason) => {
        this.ended = true;
        resolve({ code, reason: reason.toString() });
      }),
    );
    socket.on('message', (data: Buffer) => this.take(JSON.parse(data.toString()) as Frame));
  }

  /** Connects; rejects when the handshake is refused, with `status` on the error. */
  static async connect(url: string, options: CheckedOptions & { protocols?: string[] } = {}): Promise<TestClient> {
    const { protocols = [], ...rest } = options;
    const socket = new CheckedSocket(url, protocols, rest);
    const client = new TestClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (request, response) => {
        reject(Object.assign(new Error(`handshake refused: ${response.statusCode}`), { status: response.statusCode }));
        request.destroy();
      });
    });
    socket.on('error', () => undefined); // a reset ends in 'close', which the tests await
    return client;
  }

  /** @throws Error for a frame that the AsyncAPI document does not have */
  send(frame: object | string): void {
    this.socket.send(textOf(frame));
  }

  /** Sends what may be wrong, on purpose. */
  sendUnchecked(frame: object | string): void {
    this.socket.sendUnchecked(textOf(frame));
  }

  /** Sends with a `request_id` and awaits the reply or error that carries it. */
  request(frame: object): Promise<Frame> {
    const request_id = this.nextRequest++;
    this.send({ ...frame, request_id });
    return this.next({ request_id });
  }

  /** Sends what may be wrong, on purpose, and awaits the reply or error. */
  requestUnchecked(frame: object): Promise<Frame> {
    const request_id = this.nextRequest++;
    this.sendUnchecked({ ...frame, request_id });
    return this.next({ request_id });
  }

  /** The next unread frame that matches: a type, some fields, or a predicate. */
  next(matcher: Matcher = () => true): Promise<Frame> {
    const matches = predicate(matcher);
    const index = this.unread.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.unread.splice(index, 1)[0] as Frame);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const types = this.received.map(({ type, code }) => (code === undefined ? type : `${type}:${String(code)}`)).slice(-20);
        reject(
          new Error(`no frame matched ${describe(matcher)}${this.ended ? ' (closed)' : ''}; last received: ${types.join(', ')}`),
        );
      }, PATIENCE_MS);
      // A test may stop waiting, for a connection that was closed. The timer must not keep the process of its tests.
      timer.unref();
      this.waiters.push({
        matches,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      });
    });
  }

  /** Frames that came and were not asked for. */
  pendingFrames(matcher: Matcher = () => true): Frame[] {
    return this.unread.filter(predicate(matcher));
  }

  /** Everything the server had sent before it answered this has arrived. */
  async settled(): Promise<void> {
    await this.request({ action: 'ping' });
  }

  closed(): Promise<{ code: number; reason: string }> {
    return this.end;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.end;
  }

  private take(frame: Frame): void {
    this.received.push(frame);
    const index = this.waiters.findIndex(({ matches }) => matches(frame));
    if (index >= 0) this.waiters.splice(index, 1)[0]?.resolve(frame);
    else this.unread.push(frame);
  }
}

const textOf = (frame: object | string): string => (typeof frame === 'string' ? frame : JSON.stringify(frame));

function predicate(matcher: Matcher): (frame: Frame) => boolean {
  if (typeof matcher === 'function') return matcher;
  if (typeof matcher === 'string') return (frame) => frame.type === matcher;
  return (frame) => Object.entries(matcher).every(([name, value]) => frame[name] === value);
}

function describe(matcher: Matcher): string {
  return typeof matcher === 'function' ? 'a predicate' : JSON.stringify(matcher);
}
