/**
 * Delivers the application's messages to the listeners of their type or channel. One that is to be acknowledged is
 * acknowledged after every listener has ended without an error, and is handled once however often it is shown.
 */
import { channelsOf, type ServerMessage } from './frames.js';
import { ListenersByKey } from './listeners.js';
import { remember } from './remember.js';
import type { Requests } from './requests.js';

export interface Message {
  type: string;
  [field: string]: unknown;
}

export type MessageListener = (message: Message) => unknown;

export class Messages {
  private readonly byType: ListenersByKey<[Message]>;
  private readonly byChannel: ListenersByKey<[Message]>;
  /** Message ids: `true` once handled, `false` while being handled. */
  private readonly known = new Map<string, boolean>();

  constructor(
    private readonly requests: Requests,
    report: (error: unknown) => void,
  ) {
    this.byType = new ListenersByKey(report);
    this.byChannel = new ListenersByKey(report);
  }

  onType(type: string, listener: MessageListener): () => void {
    return this.byType.add(type, listener);
  }

  onChannel(channel: string, listener: MessageListener): () => void {
    return this.byChannel.add(channel, listener);
  }

  hasChannel(channel: string): boolean {
    return this.byChannel.get(channel) !== undefined;
  }

  async onFrame(frame: ServerMessage): Promise<void> {
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
      remember(this.known, messageId, false);
      const ended = await Promise.all(listeners.map((one) => one.call(frame)));
      if (ended.includes(false)) {
        this.known.delete(messageId);
        return;
      }
      remember(this.known, messageId, true);
    }
    this.requests.lasting({ action: 'ack', message_id: messageId }).catch(() => undefined); // another device was quicker
  }
}
