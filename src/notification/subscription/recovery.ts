/**
 * From a position in a channel's history to live, without a gap and without a repetition.
 *
 * History is read page by page, as the socket drains, until it has caught up with what was published meanwhile; then the
 * subscription goes live in the same turn. A gap is reported at once, before what comes after it. Where the head is known
 * and nothing came after it, nothing is read. Nothing is buffered, however slow the reader and however fast the channel. A
 * newer recovery of the same subscription replaces an older one, which stops silently.
 */
import type { Recovered, StreamPosition } from '../../protocol/messages.js';
import type { HistoryResult } from '../engine/engine.js';
import { OutboundFrame, positionedText } from '../connection/frame.js';
import { until, type FrameSource } from '../connection/frame-source.js';
import type { Start, Subscription } from '../connection/subscription.js';

export interface Recovery extends Start {
  channel: string;
  subscription: Subscription;
  /** The history after a position; `undefined` once it is not wanted any more. */
  read: (since: StreamPosition) => Promise<HistoryResult | undefined>;
}

export function* recover({ channel, subscription, recovering, head, read }: Recovery): FrameSource {
  const isCurrent = (): boolean => subscription.isReading(recovering);
  for (let known = head && pageUpTo(head, recovering.position); ; known = undefined) {
    if (!isCurrent()) return;
    // What was noted before this reading begins is in it: it was stored before.
    if (!known) recovering.newest = undefined;
    const page = known ?? (yield* until(read(recovering.position)));
    if (!page || !isCurrent()) return;
    if (!page.complete) {
      recovering.position = page.head;
      recovering.announce = false;
      yield recoveredFrame(channel, false, page.head);
    } else {
      const { epoch } = recovering.position;
      for (const { message, offset } of page.publications) {
        if (!isCurrent()) return;
        // Before the frame is queued: a reply that repeats the position comes after it.
        recovering.position = { epoch, offset };
        yield new OutboundFrame(positionedText(JSON.stringify(message), channel, offset));
      }
    }
    // From here to the switch nothing is awaited; what was published while frames were yielded has been noted.
    if (!isCurrent()) return;
    if (isBehind(recovering.position, page.head) || isBehind(recovering.position, recovering.newest)) continue;
    subscription.goLive(recovering);
    if (recovering.announce) yield recoveredFrame(channel, true, recovering.position);
    return;
  }
}

const isBehind = (position: StreamPosition, other: StreamPosition | undefined): boolean =>
  other !== undefined && (other.epoch !== position.epoch || other.offset > position.offset);

/** The history between two positions, where that can be said without reading it. */
function pageUpTo(head: StreamPosition, since: StreamPosition): HistoryResult | undefined {
  if (since.epoch !== head.epoch || since.offset > head.offset) return { complete: false, head };
  return since.offset === head.offset ? { complete: true, publications: [], head } : undefined;
}

function recoveredFrame(channel: string, recovered: boolean, position: StreamPosition): OutboundFrame {
  return new OutboundFrame({ type: 'recovered', channel, recovered, ...position } satisfies Recovered);
}
