/** A user on a bad network, with the client library as an application uses it, and the account of what the application got. */
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { connect, type Message, type NotificationClient, type SocketConstructor } from '../../src/client/index.js';

/** Without compression: hundreds of them share this process with the publisher. */
export class PlainSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

export interface Received {
  n: number;
  sentAt: number;
  at: number;
}

export class LibraryUser {
  readonly client: NotificationClient;
  /** What the listeners got, by channel, in order. */
  readonly received: Record<string, Received[]>;
  readonly counts = { connects: 0, gaps: 0 };
  readonly errors: string[] = [];
  private readonly events = new EventEmitter();
  private readonly subscribed: Promise<unknown>;

  constructor(
    readonly id: string,
    url: string,
  ) {
    const channels = [`user:${id}`, 'broadcast'];
    this.received = Object.fromEntries(channels.map((channel) => [channel, []]));
    this.client = connect(url, {
      WebSocket: PlainSocket as unknown as SocketConstructor,
      userId: id,
      // Dead peers are given up after 2.5 s.
      quietMs: 1250,
      silenceMs: 1250,
      onError: (error) => this.errors.push(String(error)),
    });
    this.client.onState(({ status }) => {
      if (status === 'open') this.counts.connects += 1;
    });
    this.client.onGap(() => (this.counts.gaps += 1));
    this.subscribed = Promise.all(
      channels.map(
        (channel) =>
          new Promise<void>((resolve) =>
            this.client.channel(channel, (message) => this.take(channel, message), { snapshot: () => resolve() }),
          ),
      ),
    );
  }

  async ready(): Promise<void> {
    await this.subscribed;
  }

  /** Resolves when a predicate holds; it is asked after every message. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.events, 'message');
  }

  stop(): void {
    this.client.close();
  }

  private take(channel: string, { n, sent_at: sentAt }: Message): void {
    this.received[channel]?.push({ n: Number(n), sentAt: Number(sentAt), at: Date.now() });
    this.events.emit('message');
  }
}
