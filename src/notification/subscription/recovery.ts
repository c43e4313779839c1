/**
 * Brings a subscription from a position in its channel's history to live, without a gap and without a repetition.
 *
 * History is read page by page, as the socket drains, until it contains what was published meanwhile. Then the subscription
 * goes live in the same turn. A gap is reported at once, before what follows it. Nothing is read if the head is known and
 * nothing was published after it. Nothing is buffered, however slow the reader and however fast the channel. A newer
 * recovery of the same subscription replaces an older one, which stops silently.
 */
import type { Recovered, StreamPosition } from '../../protocol/messages.js';
import type { HistoryResult } from '../engine/engine.js';
import { OutboundFrame, positionedText } from '../connection/frame.js';
import { until, type FrameGenerator } from '../connection/frame-source.js';
import type { Start, Subscription } from './subscription.js';

export interface Recovery extends Start {
  subscription: Subscription;
  /** Reads the history after a position. `undefined`: the recovery is not wanted any more. */
  read: (since: StreamPosition) => Promise<HistoryResult | undefined>;
  /** How the recovery, or a part of it, ended: everything was brought, or something is gone from history. */
  onResult?: (result: 'recovered' | 'gap') => void;
}

export function* recover({ subscription, recovering, head, read, onResult }: Recovery): FrameGenerator {
  const { channel } = subscription;
  const isCurrent = (): boolean => subscription.isReading(recovering);
  for (let known = head && pageUpTo(head, recovering.position); ; known = undefined) {
    if (!isCurrent()) return;
    // A page that is read now contains everything that was noted before: it was stored earlier.
    if (!known) recovering.newest = undefined;
    const page = known ?? (yield* until(read(recovering.position)));
    if (!page || !isCurrent()) return;
    if (!page.complete) {
      recovering.position = page.head;
      recovering.announce = false;
      onResult?.('gap');
      yield recoveredFrame(channel, false, page.head);
    } else {
      const { epoch } = recovering.position;
      for (const { text, offset } of page.publications) {
        if (!isCurrent()) return;
        // Set before the frame is queued: a reply that repeats the position is queued after it.
        recovering.position = { epoch, offset };
        yield new OutboundFrame(positionedText(text, channel, offset));
      }
    }
    // Nothing is awaited from here to the switch. What was published while frames were yielded has been noted.
    if (!isCurrent()) return;
    if (isBehind(recovering.position, page.head) || isBehind(recovering.position, recovering.newest)) continue;
    subscription.goLive(recovering);
    if (!recovering.announce) return;
    onResult?.('recovered');
    yield recoveredFrame(channel, true, recovering.position);
    return;
  }
}

const isBehind = (position: StreamPosition, other: StreamPosition | undefined): boolean =>
  other !== undefined && (other.epoch !== position.epoch || other.offset > position.offset);

/** The history between two positions, if it is known without reading. */
function pageUpTo(head: StreamPosition, since: StreamPosition): HistoryResult | undefined {
  if (since.epoch !== head.epoch || since.offset > head.offset) return { complete: false, head };
  return since.offset === head.offset ? { complete: true, publications: [], head } : undefined;
}

function recoveredFrame(channel: string, recovered: boolean, position: StreamPosition): OutboundFrame {
  return new OutboundFrame({ type: 'recovered', channel, recovered, ...position } satisfies Recovered);
}
