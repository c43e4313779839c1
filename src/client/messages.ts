/**
 * Delivers the application's messages to the listeners of their type or channel. One that is to be acknowledged is
 * acknowledged after every listener has ended without an error, and is handled once however often it is shown.
 */
import { channelsOf, type ServerMessage } from './frames.js';
import { createListenersByKey } from './listeners.js';
import { remember } from './remember.js';
import type { Requests } from './requests.js';

export interface Message {
  type: string;
  [field: string]: unknown;
}

export type MessageListener = (message: Message) => unknown;

export interface Messages {
  onType(type: string, listener: MessageListener): () => void;
  onChannel(channel: string, listener: MessageListener): () => void;
  hasChannel(channel: string): boolean;
  onFrame(frame: ServerMessage): Promise<void>;
}

export function createMessages(requests: Requests, report: (error: unknown) => void): Messages {
  const byType = createListenersByKey<[Message]>(report);
  const byChannel = createListenersByKey<[Message]>(report);
  /** Message ids: `true` once handled, `false` while being handled. */
  const known = new Map<string, boolean>();

  return {
    onType: byType.add,
    onChannel: byChannel.add,
    hasChannel: (channel) => byChannel.get(channel) !== undefined,
    async onFrame(frame) {
      const { message_id: messageId } = frame;
      const listeners = [byType.get(frame.type), ...channelsOf(frame).map(byChannel.get)].filter((one) => one !== undefined);
      const call = (): Promise<boolean[]> => Promise.all(listeners.map((one) => one.call(frame)));
      if (typeof messageId !== 'string') return void call();
      // A message that nobody here listens for is left to another device, or to the next connection.
      if (listeners.length === 0 || known.get(messageId) === false) return;
      if (!known.has(messageId)) {
        remember(known, messageId, false);
        if ((await call()).includes(false)) return void known.delete(messageId);
        remember(known, messageId, true);
      }
      requests.lasting({ action: 'ack', message_id: messageId }).catch(() => undefined); // another device was quicker
    },
  };
}
