/**
 * A client on a bad network: it comes back by itself, recovers every channel from where it was, and keeps book of what
 * it got. What a channel brings before the reply to `subscribe` is left out, since recovery brings it again.
 *
 *  F1  From the reply on, a channel's offsets go up by one. A greater step is a gap, a smaller one a repetition.
 *  F2  Only `recovered: false` moves the position without the messages between.
 */
import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { CheckedSocket } from './checked-socket.js';
import type { Frame } from './client.js';

export interface FlakyOptions {
  /** Asked for before every attempt. */
  url: () => string;
  /** What to subscribe to after every connect: the targets of `subscribe`, by channel. */
  channels: Record<string, object>;
  /** Before every attempt but the first. */
  pauseMs?: () => number;
  /** Nothing heard for so long: the connection is given up. */
  silenceMs?: number;
  /** @default 5000 */
  handshakeTimeoutMs?: number;
}

interface Book {
  epoch?: string;
  offset: number;
  confirmed: boolean;
}

export class FlakyClient {
  /** Every message of a channel, in the order in which it came. */
  readonly messages: { channel: string; frame: Frame; at: number }[] = [];
  /** What carries no offset: prompts, and messages to be acknowledged. */
  readonly others: Frame[] = [];
  readonly counts = { gaps: 0, repetitions: 0, recovered: 0, unrecovered: 0, connects: 0 };
  readonly closes: number[] = [];
  /** Why attempts failed. */
  readonly refusals: string[] = [];
  /** `frame`, `ready` (all channels are confirmed and recovered), `closed`. */
  readonly events = new EventEmitter();
  private readonly books = new Map<string, Book>();
  private readonly unready = new Set<string>();
  private socket: WebSocket | undefined;
  private stopped = false;
  private alive = true;
  private readonly running: Promise<void>;

  constructor(private readonly options: FlakyOptions) {
    this.events.setMaxListeners(0);
    for (const channel of Object.keys(options.channels)) this.books.set(channel, { offset: 0, confirmed: false });
    this.running = this.run();
  }

  get isReady(): boolean {
    return this.socket?.readyState === WebSocket.OPEN && this.unready.size === 0;
  }

  position(channel: string): { epoch?: string; offset: number } {
    const { epoch, offset } = this.books.get(channel)!;
    return { epoch, offset };
  }

  async ready(): Promise<void> {
    if (!this.isReady) await once(this.events, 'ready');
  }

  /** Resolves when a predicate holds; it is asked after every frame. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.events, 'frame');
  }

  send(frame: object): void {
    this.socket?.send(JSON.stringify(frame));
  }

  /** Breaks the connection with a reset; it comes back by itself. */
  cut(): void {
    this.socket?.terminate();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.socket?.terminate();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.live();
      if (!this.stopped) await delay(this.options.pauseMs?.() ?? 10);
    }
  }

  /** One connection, from the attempt to its end. */
  private live(): Promise<void> {
    const socket = new CheckedSocket(this.options.url(), [], {
      perMessageDeflate: false,
      handshakeTimeout: this.options.handshakeTimeoutMs ?? 5000,
    });
    this.socket = socket;
    this.unready.clear();
    for (const channel of this.books.keys()) this.unready.add(channel);
    const { silenceMs } = this.options;
    const silence = silenceMs === undefined ? undefined : setInterval(() => this.probe(socket), silenceMs / 2);
    socket.on('open', () => {
      opened = true;
      this.counts.connects += 1;
      this.subscribe(socket);
    });
    socket.on('message', (data: Buffer) => {
      this.alive = true;
      this.take(JSON.parse(data.toString()) as Frame);
    });
    socket.on('pong', () => (this.alive = true));
    let opened = false;
    socket.on('error', ({ message }) => {
      if (!opened) this.refusals.push(message);
    }); // followed by 'close'
    return new Promise((resolve) =>
      socket.once('close', (code) => {
        clearInterval(silence);
        this.closes.push(code);
        for (const book of this.books.values()) book.confirmed = false;
        this.events.emit('closed', code);
        resolve();
      }),
    );
  }

  /** Every other time with one frame for all. */
  private subscribe(socket: WebSocket): void {
    const wanted = Object.entries(this.options.channels).map(([channel, target]) => {
      const { epoch, offset } = this.books.get(channel)!;
      return { channel, target, ...(epoch !== undefined && { recover: { epoch, offset } }) };
    });
    const frames =
      this.counts.connects % 2 === 0
        ? [{ channels: wanted.map(({ channel, recover }) => ({ channel, recover })) }]
        : wanted.map(({ channel, target, recover }) => ({ ...target, recover, request_id: channel }));
    for (const frame of frames) socket.send(JSON.stringify({ action: 'subscribe', ...frame }));
  }

  private probe(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!this.alive) return socket.terminate();
    this.alive = false;
    socket.ping();
  }

  private take(frame: Frame): void {
    if (frame.type === 'subscription_confirmed' && Array.isArray(frame['subscriptions'])) {
      for (const subscribed of frame['subscriptions'] as object[]) this.take({ type: frame.type, ...subscribed });
      return;
    }
    const channel = frame['channel'] as string | undefined;
    const book = channel === undefined ? undefined : this.books.get(channel);
    if (book && channel !== undefined) this.takeOfChannel(frame, channel, book);
    else if (frame.type !== 'pong') this.others.push(frame);
    this.events.emit('frame', frame);
    if (this.unready.size === 0) this.events.emit('ready');
  }

  private takeOfChannel(frame: Frame, channel: string, book: Book): void {
    const offset = frame['offset'] as number;
    if (frame.type === 'subscription_confirmed') {
      book.confirmed = true;
      if (book.epoch !== undefined) return; // `recovered` follows
      book.epoch = frame['epoch'] as string;
      book.offset = offset;
      this.unready.delete(channel);
    } else if (frame.type === 'recovered') {
      if (frame['recovered'] === true) {
        this.counts.recovered += 1;
        if (offset !== book.offset) this.counts.gaps += 1;
      } else this.counts.unrecovered += 1;
      book.epoch = frame['epoch'] as string;
      book.offset = offset;
      this.unready.delete(channel);
    } else if (book.confirmed) {
      if (offset <= book.offset) this.counts.repetitions += 1;
      else if (offset > book.offset + 1) this.counts.gaps += 1;
      book.offset = Math.max(book.offset, offset);
      this.messages.push({ channel, frame, at: Date.now() });
    }
  }
}
