/**
 * What a user who comes is shown first: all pending prompts, then the messages nobody has acknowledged yet; page by
 * page, as the socket drains. What came live or was decided meanwhile is left out.
 */
import type { AcknowledgedMessage, Confirmation, Engine, Page, Waiting } from '../engine/engine.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { readWhenAvailable } from '../connection/retry.js';
import { until, type FrameSource } from '../connection/source.js';
import { promptFrame } from './view.js';

/** How many prompts and messages are read at once. */
export const PAGE_SIZE = 100;

/** @param settled what came live or was decided since `waiting` was asked for (`Connection.beginRedelivery`) */
export function* redeliver(
  engine: Engine,
  connection: Connection,
  userId: string,
  waiting: Pick<Waiting, 'prompts' | 'messages'>,
  settled: Set<string>,
): FrameSource {
  const wanted = (): boolean => connection.isOpen && connection.userId === userId;
  function* following<T>(
    { cursor }: Page<T>,
    read: (cursor: string) => Promise<Page<T>>,
  ): Generator<Promise<unknown>, Page<T> | undefined> {
    return cursor === undefined ? undefined : yield* until(readWhenAvailable(wanted, () => read(cursor)));
  }
  const prompts = (cursor: string): Promise<Page<Confirmation>> =>
    engine.list({ scope: [userId], state: 'pending', limit: PAGE_SIZE, cursor });
  const messages = (cursor: string): Promise<Page<AcknowledgedMessage>> => engine.unacknowledged(userId, PAGE_SIZE, cursor);
  try {
    for (let page: Page<Confirmation> | undefined = waiting.prompts; page; page = yield* following(page, prompts)) {
      for (const confirmation of page.items) {
        if (!wanted()) return;
        if (settled.has(confirmation.callbackId)) continue;
        settled.add(confirmation.callbackId);
        yield new OutboundFrame(promptFrame(confirmation, true));
      }
    }
  } finally {
    connection.endRedelivery(settled);
  }
  for (let page: Page<AcknowledgedMessage> | undefined = waiting.messages; page; page = yield* following(page, messages)) {
    for (const message of page.items) {
      if (!wanted()) return;
      yield acknowledgedFrame(message);
    }
  }
}

/** A message that is to be acknowledged. */
export function acknowledgedFrame({ message, messageId, userId }: AcknowledgedMessage): OutboundFrame {
  return new OutboundFrame({ ...message, target_user_id: userId, message_id: messageId, requires_ack: true });
}
