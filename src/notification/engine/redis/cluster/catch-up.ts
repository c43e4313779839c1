/**
 * Catching up after a gap: the heartbeat, subscriptions, lists and streams first, then the confirmations and messages that were
 * missed. Each of them is emitted once.
 */
import { parseChannel } from '../../../../protocol/channels.js';
import { EVERYTHING } from '../../broker.js';
import type { RedisBroker } from '../stores/broker.js';
import type { ConfirmationLists } from '../stores/confirmation-lists.js';
import type { ChannelOrder } from './channel-order.js';
import type { ChannelSubscriptions } from './channel-subscriptions.js';
import type { Deliveries } from './deliveries.js';
import type { Heartbeat } from './heartbeat.js';
import type { Sweep } from './sweep.js';

/** Pub/sub that was sound at a moment may have lost what was published this long before. */
const MARGIN_MS = 2000;
const PAGE = 200;

export interface CatchUpParts {
  readonly partitions: readonly number[];
  readonly heartbeat: Heartbeat;
  readonly sweep: Sweep;
  readonly subscriptions: ChannelSubscriptions;
  readonly order: ChannelOrder;
  readonly deliveries: Deliveries;
  readonly confirmations: Pick<ConfirmationLists, 'openedAfter'>;
  readonly broker: Pick<RedisBroker, 'unacknowledgedFrom'>;
}

export class CatchUp {
  constructor(private readonly parts: CatchUpParts) {}

  /** @param since the moment from which something may have been missed, by Redis' clock @throws EngineUnavailableError */
  async run(since: number): Promise<void> {
    const { heartbeat, partitions, sweep, order } = this.parts;
    await heartbeat.restore();
    for (const partition of partitions) await sweep.run(partition, 'running');
    await order.fillAll();
    await this.emitMissed(since - MARGIN_MS);
  }

  private async emitMissed(since: number): Promise<void> {
    const { subscriptions, deliveries, confirmations, broker } = this.parts;
    for (const channel of subscriptions.names) {
      const parsed = parseChannel(channel);
      if (channel === EVERYTHING) for await (const opened of confirmations.openedAfter(since)) deliveries.opened(opened);
      if (parsed.kind !== 'user') continue;
      for await (const opened of confirmations.openedAfter(since, parsed.userId)) deliveries.opened(opened);
      let start: string | undefined = String(since * 1000);
      while (start !== undefined) {
        const page = await broker.unacknowledgedFrom(start, parsed.userId, PAGE);
        for (const message of page.items) deliveries.message(message);
        start = page.cursor;
      }
    }
  }
}
