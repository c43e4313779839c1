/**
 * Delivers the application's messages to the listeners of their type or channel. One that is to be acknowledged is
 * acknowledged after every listener has ended without an error, and handled once however often it is shown.
 */
import { Listeners } from './listeners.js';
import type { Requests, ServerReply } from './requests.js';

export interface Message {
  type: string;
  [field: string]: unknown;
}

export type MessageListener = (message: Message) => unknown;

/** How many acknowledged messages are remembered. */
const REMEMBERED = 1000;

/** Progress and heartbeats come without a channel; what has neither channel nor task is for everybody. */
function channelOf({ channel, task_id: taskId }: ServerReply): string {
  if (typeof channel === 'string') return channel;
  return typeof taskId === 'string' ? `task:${taskId}` : 'broadcast';
}

export class Messages {
  private readonly byType = new Map<string, Listeners<[Message]>>();
  private readonly byChannel = new Map<string, Listeners<[Message]>>();
  /** Message ids: `true` once acknowledged, `false` while being handled. */
  private readonly known = new Map<string, boolean>();

  constructor(
    private readonly requests: Requests,
    private readonly report: (error: unknown) => void,
  ) {}

  onType(type: string, listener: MessageListener): () => void {
    return this.listenersOf(this.byType, type).add(listener);
  }

  onChannel(channel: string, listener: MessageListener): () => void {
    return this.listenersOf(this.byChannel, channel).add(listener);
  }

  async onFrame(frame: ServerReply): Promise<void> {
    const { message_id: messageId } = frame;
    const listeners = [this.byType.get(frame.type), this.byChannel.get(channelOf(frame))];
    const wanted = listeners.flatMap((one) => (one && one.size > 0 ? [one] : []));
    if (typeof messageId !== 'string') {
      for (const one of wanted) void one.call(frame);
      return;
    }
    if (wanted.length === 0 || this.known.get(messageId) === false) return;
    if (this.known.get(messageId) === undefined) {
      this.remember(messageId, false);
      const ended = await Promise.all(wanted.map((one) => one.call(frame)));
      if (ended.includes(false)) {
        this.known.delete(messageId);
        return;
      }
      this.remember(messageId, true);
    }
    this.requests.lasting({ action: 'ack', message_id: messageId }).catch(() => undefined); // another device was quicker
  }

  private remember(messageId: string, acknowledged: boolean): void {
    this.known.set(messageId, acknowledged);
    const [oldest] = this.known.keys();
    if (this.known.size > REMEMBERED && oldest !== undefined) this.known.delete(oldest);
  }

  private listenersOf(index: Map<string, Listeners<[Message]>>, key: string): Listeners<[Message]> {
    const known = index.get(key) ?? new Listeners<[Message]>(this.report);
    index.set(key, known);
    return known;
  }
}
