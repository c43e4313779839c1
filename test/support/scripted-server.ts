/**
 * A server that says what a test wants it to say, for what a real one says seldom or never: odd positions, close codes,
 * silence, replies out of time. It speaks the protocol over real sockets and answers pings by itself.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export interface ClientFrame {
  action: string;
  request_id?: unknown;
  callback_id?: string;
  channels?: { channel: string; recover?: { epoch: string; offset: number } }[];
  [field: string]: unknown;
}

export interface Start {
  epoch?: string;
  offset?: number;
  pending?: string[];
}

export class ScriptedServer {
  /** Added to the clock that `pong` shows, in milliseconds. */
  clockOffsetMs = 0;
  /** Connections so far. */
  connects = 0;
  private readonly connections = new Queue<ScriptedConnection>();

  private constructor(private readonly server: WebSocketServer) {
    server.on('connection', (socket) => {
      this.connects += 1;
      this.connections.push(new ScriptedConnection(socket, this));
    });
  }

  static async start(port = 0): Promise<ScriptedServer> {
    const server = new WebSocketServer({ port, host: '127.0.0.1' });
    await once(server, 'listening');
    return new ScriptedServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** The next connection, when there is one. */
  next(): Promise<ScriptedConnection> {
    return this.connections.next();
  }

  /** The next connection, whose client has subscribed. */
  async welcome(starts: Record<string, Start> = {}): Promise<ScriptedConnection> {
    const connection = await this.next();
    await connection.welcome(starts);
    return connection;
  }

  async stop(): Promise<void> {
    for (const socket of this.server.clients) socket.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export class ScriptedConnection {
  /** Every frame of the client, pings included. */
  readonly frames: ClientFrame[] = [];
  readonly closed: Promise<number>;
  answersPings = true;
  private readonly queue = new Queue<ClientFrame>();

  constructor(
    readonly socket: WebSocket,
    private readonly server: ScriptedServer,
  ) {
    this.closed = once(socket, 'close').then(([code]) => code as number);
    socket.on('message', (data: Buffer) => this.onFrame(JSON.parse(data.toString()) as ClientFrame));
  }

  /** The next frame that is no ping, of this action if one is named; those before it are passed over. */
  async next(action?: string): Promise<ClientFrame> {
    for (;;) {
      const frame = await this.queue.next();
      if (action === undefined || frame.action === action) return frame;
    }
  }

  /** Confirms the next `subscribe` for all its channels: from offset 0 of epoch `e`, or from where the client recovers. */
  async welcome(starts: Record<string, Start> = {}): Promise<ClientFrame> {
    const frame = await this.next('subscribe');
    const subscriptions = (frame.channels ?? []).map(({ channel, recover }) => {
      const { epoch = recover?.epoch ?? 'e', offset = recover?.offset ?? 0, pending = [] } = starts[channel] ?? {};
      return { channel, epoch, offset, pending };
    });
    this.reply(frame, { type: 'subscription_confirmed', subscriptions });
    return frame;
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  reply({ request_id }: ClientFrame, frame: object): void {
    this.send({ ...frame, request_id });
  }

  prompt(callbackId: string, more: object = {}): void {
    const now = Date.now() / 1000;
    this.send({
      ...{ type: 'task_step_result', callback_id: callbackId, user_id: 'ann', task_id: 'task', step: 1, step_name: null },
      ...{ message: 'Go on?', result: null, status: null, completed: null, error_code: null, error_message: null },
      ...{ timestamp: now, expires_at: now + 300, default: 'abort', redelivered: false, ...more },
    });
  }

  private onFrame(frame: ClientFrame): void {
    this.frames.push(frame);
    if (frame.action !== 'ping') this.queue.push(frame);
    else if (this.answersPings)
      this.reply(frame, { type: 'pong', timestamp: (Date.now() + this.server.clockOffsetMs) / 1000, original_data: frame });
  }
}

/** Items in the order in which they came, each for one waiter. */
class Queue<Item> {
  private readonly items: Item[] = [];
  private readonly waiting: ((item: Item) => void)[] = [];

  push(item: Item): void {
    const waiting = this.waiting.shift();
    if (waiting) waiting(item);
    else this.items.push(item);
  }

  next(): Promise<Item> {
    const item = this.items.shift();
    return item === undefined ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve(item);
  }
}
