/**
 * Shows a connection that becomes a user's all pending prompts, then the messages that no device has acknowledged yet. They
 * are read page by page, as the socket drains. What was shown live, decided or acknowledged meanwhile is left out.
 */
import {
  PAGE_BYTES,
  type AcknowledgedMessage,
  type Confirmation,
  type Engine,
  type Page,
  type Waiting,
} from '../engine/engine.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import { readWhenAvailable } from '../engine/retry-while-unavailable.js';
import type { ReadingNotes } from '../connection/changes-while-reading.js';
import { until, type FrameGenerator } from '../connection/frame-source.js';
import { Date } from '../pacing/time-source.js';
import { recordSent } from '../tracing/spans.js';
import { promptMessage } from '../confirmation/presentation.js';

/** How many prompts or messages are read first, and at most. In between, as many as have about `PAGE_BYTES`. */
const PAGE_SIZE = { first: 5, longest: 100 };
/** The name of the source: a connection has one redelivery, and a newer one replaces it. */
export const REDELIVERY = 'redelivery';

/** @param changes noted since before `waiting` was read */
export function* redeliver(
  engine: Engine,
  connection: Connection,
  userId: string,
  waiting: Pick<Waiting, 'pendingIds' | 'pending' | 'hasMessages'>,
  changes: ReadingNotes,
): FrameGenerator {
  const wanted = (): boolean => connection.isOpen && connection.userId === userId;
  function* show<T>(
    known: readonly T[] | undefined,
    read: (limit: number, cursor?: string) => Promise<Page<T>>,
    idOf: (item: T) => string,
    frameOf: (item: T) => OutboundFrame,
  ): FrameGenerator {
    let cursor: string | undefined;
    let limit = PAGE_SIZE.first;
    let [frames, bytes] = [0, 0];
    do {
      const page: Page<T> | undefined = known ? undefined : yield* until(readWhenAvailable(wanted, () => read(limit, cursor)));
      for (const item of known ?? page?.items ?? []) {
        if (!wanted()) return;
        if (changes.has(idOf(item))) continue;
        changes.add(idOf(item));
        const frame = frameOf(item);
        frames += 1;
        bytes += frame.wire(false).length;
        yield frame;
      }
      cursor = page?.cursor;
      if (frames > 0) limit = Math.min(Math.max(1, Math.floor((PAGE_BYTES * frames) / bytes)), PAGE_SIZE.longest);
    } while (cursor !== undefined);
  }
  const prompts = (limit: number, cursor?: string): Promise<Page<Confirmation>> =>
    engine.confirmations.list({ scope: [userId], state: 'pending', limit, cursor });
  const messages = (limit: number, cursor?: string): Promise<Page<AcknowledgedMessage>> =>
    engine.broker.unacknowledged(userId, limit, cursor);
  if (waiting.pendingIds.length > 0)
    yield* show(
      changes.isOutdated ? undefined : waiting.pending,
      prompts,
      ({ callbackId }) => callbackId,
      (confirmation) => {
        recordSent(confirmation, 1, Date.now(), true);
        return new OutboundFrame(promptMessage(confirmation, true));
      },
    );
  if (waiting.hasMessages) yield* show(undefined, messages, ({ messageId }) => messageId, acknowledgedFrame);
}

/** A message that is to be acknowledged. */
export function acknowledgedFrame({ message, messageId, userId }: AcknowledgedMessage): OutboundFrame {
  return new OutboundFrame({ ...message, target_user_id: userId, message_id: messageId, requires_ack: true });
}
