/**
 * From a position in a channel's history to live, without a gap and without a repetition.
 *
 * The subscription is in phase `recovering` meanwhile: live publications are not sent but only noted (`seen`). History is
 * read page by page, as the socket drains, until it has caught up with what was noted; then the subscription goes
 * live in the same turn. A gap is told at once, before what comes after it. Where the head is known and nothing came
 * after it, there is nothing to read. Nothing is buffered, however slow the reader and however fast the channel. Who
 * recovers anew meanwhile is served by the later recovery, from its own position; the earlier one ends without a word.
 */
import type { Recovered, StreamPosition } from '../../protocol/messages.js';
import type { Engine, HistoryResult } from '../engine/engine.js';
import type { Connection, Subscription } from './connection.js';
import { OutboundFrame } from './frame.js';
import { readWhenAvailable } from './retry.js';
import { until, type FrameSource } from './source.js';

const PAGE_SIZE = 100;

export interface Recovery {
  channel: string;
  /** Exclusive. */
  since: StreamPosition;
  /** Where the channel stood; what has been published since is in `subscription.seen`. */
  head: StreamPosition;
  /** Whether the client asked to recover, and is told `recovered` at the end. Of a gap it is told anyway. */
  announce: boolean;
  /** What stands in the connection's subscriptions as long as this recovery is the one that counts. */
  subscription: Subscription & { phase: 'recovering' };
}

export function* recover(
  engine: Engine,
  connection: Connection,
  { channel, since, head, announce, subscription }: Recovery,
): FrameSource {
  let position = since;
  let untold = announce;
  const isCurrent = (): boolean => connection.subscriptions.get(channel) === subscription;
  const wanted = (): boolean => connection.isOpen && isCurrent();
  for (let known = pageUpTo(head, since); ; known = undefined) {
    const reading = (): Promise<HistoryResult> => engine.history({ channel, since: position, limit: PAGE_SIZE });
    const page = known ?? (yield* until(readWhenAvailable(wanted, reading)));
    if (!page || !isCurrent()) return;
    if (!page.complete) {
      // Told before anything else is: what came meanwhile follows upon the position that it tells.
      position = page.head;
      untold = false;
      yield recoveredFrame(channel, false, position);
    } else {
      for (const { message, offset } of page.publications) {
        if (!isCurrent()) return;
        yield publicationFrame(JSON.stringify(message), channel, { epoch: position.epoch, offset });
        position = { epoch: position.epoch, offset };
      }
    }
    // From here to the switch nothing is awaited; what was published while frames were yielded has been noted.
    if (!isCurrent()) return;
    if (position.offset < Math.max(page.head.offset, subscription.seen)) continue;
    connection.subscriptions.set(channel, { phase: 'live', position });
    if (untold) yield recoveredFrame(channel, true, position);
    return;
  }
}

/** The history between two positions, where that can be said without reading it. */
function pageUpTo(head: StreamPosition, since: StreamPosition): HistoryResult | undefined {
  if (since.epoch !== head.epoch || since.offset > head.offset) return { complete: false, head };
  return since.offset === head.offset ? { complete: true, publications: [], head } : undefined;
}

function recoveredFrame(channel: string, recovered: boolean, position: StreamPosition): OutboundFrame {
  return new OutboundFrame({ type: 'recovered', channel, recovered, ...position } satisfies Recovered);
}

/** A plain message of a recoverable channel, as JSON, with where it stands. */
export function publicationFrame(text: string, channel: string, { offset }: StreamPosition): OutboundFrame {
  const fields = text.slice(1, -1);
  return new OutboundFrame(`{${fields}${fields && ','}"channel":${JSON.stringify(channel)},"offset":${offset}}`);
}
