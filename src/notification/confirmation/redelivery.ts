/**
 * What a user who comes is shown first: all pending prompts, then the messages nobody has acknowledged yet; page by
 * page, as the socket drains. What came live or was decided meanwhile is left out.
 */
import type { AcknowledgedMessage, Confirmation, Engine, Page } from '../engine/engine.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { readWhenAvailable } from '../connection/retry.js';
import { promptFrame } from './view.js';

const PAGE_SIZE = 100;

export async function* redeliverPrompts(
  engine: Engine,
  connection: Connection,
  userId: string,
): AsyncGenerator<OutboundFrame, void> {
  const settled = connection.beginRedelivery();
  try {
    const read = (cursor?: string): Promise<Page<Confirmation>> =>
      engine.list({ scope: [userId], state: 'pending', limit: PAGE_SIZE, cursor });
    for await (const confirmation of pages(connection, userId, read)) {
      if (settled.has(confirmation.callbackId)) continue;
      settled.add(confirmation.callbackId);
      yield new OutboundFrame(promptFrame(confirmation, true));
    }
  } finally {
    connection.endRedelivery(settled);
  }
}

export async function* redeliverMessages(
  engine: Engine,
  connection: Connection,
  userId: string,
): AsyncGenerator<OutboundFrame, void> {
  const read = (cursor?: string): Promise<Page<AcknowledgedMessage>> => engine.unacknowledged(userId, PAGE_SIZE, cursor);
  for await (const message of pages(connection, userId, read)) yield acknowledgedFrame(message);
}

/** A message that is to be acknowledged. */
export function acknowledgedFrame({ message, messageId, userId }: AcknowledgedMessage): OutboundFrame {
  return new OutboundFrame({ ...message, target_user_id: userId, message_id: messageId, requires_ack: true });
}

async function* pages<T>(
  connection: Connection,
  userId: string,
  read: (cursor?: string) => Promise<Page<T>>,
): AsyncGenerator<T, void> {
  const wanted = (): boolean => connection.isOpen && connection.userId === userId;
  let cursor: string | undefined;
  do {
    const page = await readWhenAvailable(wanted, () => read(cursor));
    if (!page) return;
    for (const item of page.items) {
      if (!wanted()) return;
      yield item;
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}
