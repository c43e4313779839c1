/**
 * Delivers the application's messages to the listeners of their type or channel. One that is to be acknowledged is
 * acknowledged after every listener has ended without an error, and is handled once however often it is shown.
 */
import { channelsOf, type ServerReply } from './frames.js';
import { Listeners } from './listeners.js';
import type { Requests } from './requests.js';

export interface Message {
  type: string;
  [field: string]: unknown;
}

export type MessageListener = (message: Message) => unknown;

/** How many acknowledged messages are remembered. */
const REMEMBERED = 1000;

export class Messages {
  private readonly byType = new Map<string, Listeners<[Message]>>();
  private readonly byChannel = new Map<string, Listeners<[Message]>>();
  /** Message ids: `true` once handled, `false` while being handled. */
  private readonly known = new Map<string, boolean>();

  constructor(
    private readonly requests: Requests,
    private readonly report: (error: unknown) => void,
  ) {}

  onType(type: string, listener: MessageListener): () => void {
    return this.listen(this.byType, type, listener);
  }

  onChannel(channel: string, listener: MessageListener): () => void {
    return this.listen(this.byChannel, channel, listener);
  }

  hasChannel(channel: string): boolean {
    return this.byChannel.has(channel);
  }

  async onFrame(frame: ServerReply): Promise<void> {
    const { message_id: messageId } = frame;
    const listeners = [this.byType.get(frame.type), ...channelsOf(frame).map((channel) => this.byChannel.get(channel))].filter(
      (one) => one !== undefined,
    );
    if (typeof messageId !== 'string') {
      for (const one of listeners) void one.call(frame);
      return;
    }
    // A message that nobody here listens for is left to another device, or to the next connection.
    if (listeners.length === 0 || this.known.get(messageId) === false) return;
    if (!this.known.has(messageId)) {
      this.remember(messageId, false);
      const ended = await Promise.all(listeners.map((one) => one.call(frame)));
      if (ended.includes(false)) {
        this.known.delete(messageId);
        return;
      }
      this.remember(messageId, true);
    }
    this.requests.lasting({ action: 'ack', message_id: messageId }).catch(() => undefined); // another device was quicker
  }

  private remember(messageId: string, isHandled: boolean): void {
    this.known.set(messageId, isHandled);
    const [oldest = ''] = this.known.keys();
    if (this.known.size > REMEMBERED) this.known.delete(oldest);
  }

  private listen(index: Map<string, Listeners<[Message]>>, key: string, listener: MessageListener): () => void {
    const listeners = index.get(key) ?? new Listeners<[Message]>(this.report);
    index.set(key, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.size === 0) index.delete(key);
    };
  }
}
