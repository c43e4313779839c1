/**
 * A client that stores, per channel, the last position of any frame, and offers it on its next `subscribe`; nothing else
 * does it know of the protocol. Its connection breaks at random moments. It keeps an account of what it got.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket, type ClientOptions } from 'ws';
import type { Frame } from './client.js';

export interface NaiveOptions {
  url: () => string | Promise<string>;
  channels: readonly string[];
  handshake?: ClientOptions;
  random: () => number;
  /** A connection breaks after between these times, in milliseconds. */
  cutAfterMs: readonly [number, number];
  /** How long it stays away between two connections, in milliseconds. @default [0, 20] */
  restMs?: readonly [number, number];
  /** Called for each frame of a channel, before it is counted. */
  onFrame?: (frame: Frame, channel: string) => void;
}

interface Position {
  epoch?: string;
  offset?: number;
}

/** A channel, over all connections. */
interface Account {
  stored: Position;
  /** Offset of the first reply: everything after it is expected. */
  from?: number;
  /** Numbers of the messages received, with or without a position. */
  readonly received: Set<number>;
  /** What `recovered: false` said is gone: numbers up to this one count as reported. */
  reportedUpTo: number;
}

/** On one connection, once the channel's reply has arrived. */
interface Live {
  offset: number;
  /** No `recovered` is outstanding. */
  recovered: boolean;
  newest: number;
}

export class NaiveClient {
  readonly accounts = new Map<string, Account>();
  readonly counts = {
    connects: 0,
    cuts: 0,
    recovered: 0,
    unrecovered: 0,
    /** A message whose offset does not follow, without `recovered: false`. */
    silentGaps: 0,
    /** A message that was sent on this connection before. */
    repeated: 0,
    /** After `recovered`, a message that is older than one before it. */
    outOfOrder: 0,
    /** A position on a connection that was not given the channel's epoch. */
    unexplained: 0,
  };
  private socket: WebSocket | undefined;
  private breaking = true;
  private stopped = false;
  private readonly running: Promise<void>;
  private live = new Map<string, Live>();
  private onFrame: (() => void)[] = [];

  constructor(private readonly options: NaiveOptions) {
    for (const channel of options.channels) this.accounts.set(channel, { stored: {}, received: new Set(), reportedUpTo: 0 });
    this.running = this.run();
  }

  /** From now on the connection stays. */
  settle(): void {
    this.breaking = false;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.socket?.terminate();
    await this.running;
  }

  /** Resolves when a predicate holds; it is asked after every frame. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.onFrame.push(resolve));
  }

  /** Numbers up to `last` that neither arrived nor were reported as gone. */
  missing(channel: string, last: number): number[] {
    const account = this.accounts.get(channel);
    if (account?.from === undefined) return [last];
    const missing: number[] = [];
    for (let n = Math.max(account.from, account.reportedUpTo) + 1; n <= last; n += 1)
      if (!account.received.has(n)) missing.push(n);
    return missing;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await this.connect();
      const { restMs: [shortest, longest] = [0, 20], random } = this.options;
      await delay(this.breaking ? shortest + random() * (longest - shortest) : 0);
    }
  }

  private async connect(): Promise<void> {
    const { url, handshake = {}, random, cutAfterMs } = this.options;
    const target = await url();
    if (this.stopped) return;
    const socket = new WebSocket(target, { perMessageDeflate: false, ...handshake });
    this.socket = socket;
    this.live = new Map();
    socket.on('error', () => undefined); // followed by 'close'
    // A handshake may be refused while the store is away.
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const [shortest, longest] = cutAfterMs;
    // Some connections break as soon as a frame names a channel: when a position was stored and nothing else came.
    const cutAtFrame = random() < 0.25 ? 1 + Math.floor(random() * 4) : Infinity;
    let named = 0;
    socket.on('open', () => {
      this.counts.connects += 1;
      // What is published meanwhile arrives before the subscription.
      const timers = [
        setTimeout(() => this.subscribe(socket), random() * 30),
        setTimeout(() => this.cut(socket), shortest + random() * (longest - shortest)),
      ];
      socket.once('close', () => timers.forEach(clearTimeout));
    });
    socket.on('message', (data: Buffer) => {
      if (socket !== this.socket || socket.readyState !== WebSocket.OPEN) return;
      const frame = JSON.parse(data.toString()) as Frame;
      this.take(frame);
      if (frame['channel'] !== undefined && (named += 1) >= cutAtFrame) this.cut(socket);
      for (const resolve of this.onFrame.splice(0)) resolve();
    });
    await closed;
  }

  private cut(socket: WebSocket): void {
    if (!this.breaking || socket.readyState !== WebSocket.OPEN) return;
    this.counts.cuts += 1;
    socket.terminate();
  }

  private subscribe(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const wanted = [...this.accounts].map(([channel, { stored }]) => ({
      channel,
      ...(stored.epoch !== undefined && { recover: stored }),
    }));
    const { random } = this.options;
    // In one frame, or one after the other.
    const frames = random() < 0.5 ? [{ channels: wanted }] : wanted;
    for (const frame of frames) socket.send(JSON.stringify({ action: 'subscribe', ...frame }));
  }

  private take(frame: Frame): void {
    const parts = frame.type === 'subscription_confirmed' && Array.isArray(frame['subscriptions']);
    for (const part of parts ? (frame['subscriptions'] as object[]) : [frame]) this.takeOne({ ...part, type: frame.type });
  }

  private takeOne(frame: Frame): void {
    if (frame.type === 'error') {
      // The store is away: nothing of this frame was subscribed to.
      if (frame['code'] !== 'UNAVAILABLE') throw new Error(`the service answered ${JSON.stringify(frame)}`);
      this.socket?.terminate();
      return;
    }
    const name = (frame['channel'] ?? frame['on']) as string | undefined;
    const account = name === undefined ? undefined : this.accounts.get(name);
    if (!account || name === undefined) return;
    this.options.onFrame?.(frame, name);
    const live = this.live.get(name);
    if (frame.type === 'note') this.takeMessage(frame, account, live);
    else if (frame.type === 'subscription_confirmed') {
      const asked = account.stored.epoch !== undefined;
      account.from ??= frame['offset'] as number;
      this.live.set(name, { offset: frame['offset'] as number, recovered: !asked, newest: 0 });
    } else if (frame.type === 'recovered') this.takeRecovered(frame, account, live);
    // What makes it naive: it stores what it sees.
    if (frame['channel'] === undefined) return;
    if (frame['epoch'] !== undefined) account.stored = { epoch: frame['epoch'] as string, offset: frame['offset'] as number };
    else if (frame['offset'] !== undefined) account.stored = { ...account.stored, offset: frame['offset'] as number };
  }

  private takeMessage(frame: Frame, account: Account, live: Live | undefined): void {
    const [n, offset] = [frame['n'] as number, frame['offset'] as number | undefined];
    account.received.add(n);
    if (offset === undefined) return;
    if (!live) {
      this.counts.unexplained += 1;
      return;
    }
    if (offset <= live.offset) this.counts.repeated += 1;
    else if (offset > live.offset + 1) this.counts.silentGaps += 1;
    if (live.recovered && n < live.newest) this.counts.outOfOrder += 1;
    live.newest = Math.max(live.newest, n);
    live.offset = offset;
  }

  private takeRecovered(frame: Frame, account: Account, live: Live | undefined): void {
    const offset = frame['offset'] as number;
    if (frame['recovered'] === true) {
      this.counts.recovered += 1;
      if (live && live.offset !== offset) this.counts.silentGaps += 1;
    } else {
      this.counts.unrecovered += 1;
      account.reportedUpTo = offset;
    }
    this.live.set(frame['channel'] as string, { offset, recovered: true, newest: 0 });
  }
}
