/**
 * From a position in a channel's history to live, without a gap and without a repetition.
 *
 * The subscription is in phase `recovering` meanwhile: live publications are not sent but only noted (`seen`). History is
 * read page by page, as the socket drains, until it has caught up with what was noted; then the subscription goes
 * live in the same turn. Nothing is buffered, however slow the reader and however fast the channel.
 */
import type { Recovered, StreamPosition } from '../../protocol/messages.js';
import type { Engine } from '../engine/engine.js';
import type { Connection } from './connection.js';
import { OutboundFrame } from './frame.js';
import { readWhenAvailable } from './retry.js';

const PAGE_SIZE = 100;

/**
 * @param announce whether the client asked to recover, and is told `recovered` at the end
 */
export async function* recover(
  engine: Engine,
  connection: Connection,
  channel: string,
  since: StreamPosition,
  announce: boolean,
): AsyncGenerator<OutboundFrame, void> {
  let position = since;
  let recovered = true;
  const wanted = (): boolean => connection.isOpen && connection.subscriptions.get(channel)?.phase === 'recovering';
  for (;;) {
    const page = await readWhenAvailable(wanted, () => engine.history({ channel, since: position, limit: PAGE_SIZE }));
    const subscription = connection.subscriptions.get(channel);
    if (!page || subscription?.phase !== 'recovering') return;
    if (!page.complete) {
      recovered = false;
      position = page.head;
    } else {
      for (const { message, offset } of page.publications) {
        yield publicationFrame(message, channel, { epoch: position.epoch, offset });
        position = { epoch: position.epoch, offset };
      }
    }
    // From here to the switch nothing is awaited; what was published while frames were yielded has been noted.
    const current = connection.subscriptions.get(channel);
    if (current?.phase !== 'recovering') return;
    if (position.offset < Math.max(page.head.offset, current.seen)) continue;
    connection.subscriptions.set(channel, { phase: 'live', position });
    if (announce) yield new OutboundFrame({ type: 'recovered', channel, recovered, ...position } satisfies Recovered);
    return;
  }
}

/** A plain message of a recoverable channel, with where it stands. */
export function publicationFrame(message: object, channel: string, position: StreamPosition): OutboundFrame {
  return new OutboundFrame({ ...message, channel, offset: position.offset });
}
