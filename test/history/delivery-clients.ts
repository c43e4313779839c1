/** Callers, phones and readers that record what they send and receive, for `delivery-checker.ts`. */
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import type { Frame } from '../support/client.js';
import { NaiveClient } from '../support/naive-client.js';
import type { DeliveryEntry } from './delivery-checker.js';
import type { Node, Site } from './sites/single-node.js';

/** One list of entries: the place in it is the order. */
export class DeliveryRecorder {
  readonly entries: DeliveryEntry[] = [];
  private last = 0;

  record(entry: DeliveryEntry): void {
    this.entries.push(entry);
  }

  /** A number for a call, a connection, a message or a prompt. */
  next(): number {
    return (this.last += 1);
  }
}

/**
 * One REST call on a connection of its own, so that nothing is sent twice.
 * @returns `undefined` if the connection was lost, and with it the outcome
 */
export function restOnce(
  node: Node,
  method: string,
  path: string,
  body?: object,
): Promise<{ ok: boolean; body: Record<string, unknown> } | undefined> {
  const text = body && JSON.stringify(body);
  return new Promise((resolve) => {
    const headers = text === undefined ? {} : { 'content-type': 'application/json' };
    const request = httpRequest(node.url + path, { method, agent: false, headers }, (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (received += chunk));
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (!response.complete) return resolve(undefined);
        resolve({ ok: statusCode >= 200 && statusCode < 300, body: JSON.parse(received || '{}') as Record<string, unknown> });
      });
    });
    request.on('error', () => resolve(undefined));
    request.end(text);
  });
}

/** One connection of a user who has as many as the limit allows, and who acknowledges messages. */
export class Phone {
  /** Resolves once the service has taken the connection, or it has ended. */
  readonly taken: Promise<boolean>;
  readonly closed: Promise<void>;
  private readonly connection: number;
  private readonly socket: WebSocket;
  private readonly acks = new Map<number, number>();
  private readonly noted: (taken: boolean) => void;

  /** @param onMail is called for every message that this connection is shown */
  constructor(
    private readonly recorder: DeliveryRecorder,
    node: Node,
    private readonly userId: string,
    private readonly onMail: (mail: { message: number; messageId: string }, phone: Phone) => void,
  ) {
    this.connection = recorder.next();
    recorder.record({ kind: 'connecting', connection: this.connection, userId });
    const socket = (this.socket = new WebSocket(`${node.wsUrl}/ws`, { perMessageDeflate: false }));
    let note: (taken: boolean) => void = () => undefined;
    this.taken = new Promise((resolve) => (note = resolve));
    this.noted = note;
    socket.on('open', () => socket.send(JSON.stringify({ action: 'subscribe', user_id: userId })));
    socket.on('message', (data: Buffer) => this.take(JSON.parse(data.toString()) as Frame));
    socket.on('error', () => undefined); // followed by 'close'
    this.closed = new Promise((resolve) =>
      socket.once('close', (code) => {
        recorder.record({ kind: 'closed', connection: this.connection, code });
        for (const call of this.acks.values()) recorder.record({ kind: 'failed', call });
        note(false);
        resolve();
      }),
    );
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  acknowledge({ message, messageId }: { message: number; messageId: string }): void {
    if (!this.isOpen) return;
    const call = this.recorder.next();
    this.recorder.record({ kind: 'ack', call, message });
    this.acks.set(call, call);
    this.socket.send(JSON.stringify({ action: 'ack', message_id: messageId, request_id: call }));
  }

  /** @param abruptly without a closing handshake */
  leave(abruptly: boolean): Promise<void> {
    if (abruptly) this.socket.terminate();
    else this.socket.close();
    return this.closed;
  }

  private take(frame: Frame): void {
    // What still arrives on a connection that is closing was not shown to anybody.
    if (!this.isOpen) return;
    const call = frame['request_id'] as number | undefined;
    if (frame.type === 'subscription_confirmed') {
      this.recorder.record({ kind: 'connected', connection: this.connection, userId: this.userId });
      this.noted(true);
    } else if (call !== undefined) {
      this.acks.delete(call);
      this.recorder.record({ kind: frame.type === 'acknowledged' ? 'accepted' : 'failed', call });
    } else if (frame.type === 'mail' && frame['target_user_id'] === this.userId) {
      const mail = { message: frame['n'] as number, messageId: frame['message_id'] as string };
      this.recorder.record({ kind: 'shown', connection: this.connection, message: mail.message });
      this.onMail(mail, this);
      // The service could not take the connection: it is given up.
    } else if (frame.type === 'error') this.socket.terminate();
  }
}

export interface ReaderOptions {
  name: string;
  channels: readonly string[];
  random: () => number;
  /**
   * `stands`: it stays connected until the service closes it. `breaks`: its connections break, and it comes back at once.
   * `rests`: it comes back late, when a lot was published meanwhile.
   */
  kind: 'stands' | 'breaks' | 'rests';
}

/** A client that reads channels, and goes on from connection to connection with the position that it stored last. */
export function startReader(recorder: DeliveryRecorder, site: Site, options: ReaderOptions): NaiveClient {
  const { name, channels, random, kind } = options;
  const reading = new Set<string>();
  const epochs = new Map<string, string>();
  const client = new NaiveClient({
    url: async () => `${(await site.node()).wsUrl}/ws`,
    channels,
    random,
    cutAfterMs: [50, 400],
    ...(kind === 'rests' && { restMs: [200, 1500] }),
    onFrame: (frame, channel) => {
      const reader = `${name} of ${channel}`;
      if (frame.type === 'subscription_confirmed') {
        epochs.set(channel, frame['epoch'] as string);
        if (reading.has(channel)) return;
        reading.add(channel);
        recorder.record({ kind: 'reading', reader, channel });
      } else if (frame.type === 'recovered') {
        epochs.set(channel, frame['epoch'] as string);
        recorder.record({ kind: 'recovered', reader, recovered: frame['recovered'] === true });
      } else if (frame['offset'] !== undefined) {
        const [message, offset] = [frame['n'] as number, frame['offset'] as number];
        recorder.record({ kind: 'received', reader, message, epoch: epochs.get(channel) ?? '', offset });
      }
    },
  });
  if (kind === 'stands') client.settle();
  return client;
}
