/**
 * Which channels this node serves: counted, subscribed to while the count is above zero, and told to the others, who
 * estimate from it how many a message reaches.
 *
 * A subscription that fails stays wanted and is tried again by `refresh`.
 */
import { EVERYTHING } from '../../broker.js';
import type { Keys } from '../keys.js';
import { PUBSUB } from '../keys.js';
import type { RedisConnections } from '../connection/redis-connections.js';
import type { Partitions } from '../partitions.js';
import { WATCH } from '../scripts/node.js';
import { BROADCAST_CHANNEL } from '../../../../protocol/channels.js';
import { setImmediate } from '../../../pacing/time-source.js';

const REMEMBERED_MS = 86_400_000;

interface Watched {
  count: number;
  live: boolean;
  settling: Promise<void> | undefined;
  listener: (message: string) => void;
}

export class Watches {
  private readonly channels = new Map<string, Watched>();
  private readonly unreported = new Set<string>();
  private reporting: Promise<void> | undefined;

  constructor(
    private readonly link: RedisConnections,
    private readonly keys: Keys,
    private readonly partitions: Partitions,
    private readonly nodeId: string,
    private readonly onMessage: (message: string) => void,
    private readonly onError: (what: string, error: unknown) => void,
  ) {}

  async add(channel: string): Promise<void> {
    const watched = this.channels.get(channel) ?? { count: 0, live: false, settling: undefined, listener: this.onMessage };
    this.channels.set(channel, watched);
    watched.count += 1;
    this.report(channel);
    if (!watched.live || watched.settling) await this.settle(channel, watched);
  }

  async remove(channel: string): Promise<void> {
    const watched = this.channels.get(channel);
    if (!watched || watched.count === 0) return;
    watched.count -= 1;
    this.report(channel);
    if (watched.count === 0) await this.settle(channel, watched);
  }

  /** Whether messages on it reach this node. */
  isLive(channel: string): boolean {
    return this.channels.get(channel)?.live === true;
  }

  count(channel: string): number {
    return this.channels.get(channel)?.count ?? 0;
  }

  /** The channels that are watched. */
  get names(): string[] {
    return [...this.channels].flatMap(([channel, { count }]) => (count > 0 ? [channel] : []));
  }

  /** Tries again what failed, and tells the others all over again. */
  async refresh(everything: boolean): Promise<void> {
    for (const [channel, watched] of this.channels) {
      if (everything) this.report(channel);
      if (watched.live !== watched.count > 0) await this.settle(channel, watched);
    }
    if (this.unreported.size > 0) await this.reportAll();
  }

  private settle(channel: string, watched: Watched): Promise<void> {
    watched.settling ??= this.bringAbout(channel, watched).finally(() => {
      watched.settling = undefined;
    });
    return watched.settling;
  }

  private async bringAbout(channel: string, watched: Watched): Promise<void> {
    while (watched.live !== watched.count > 0) {
      if (watched.live) {
        watched.live = false;
        for (const name of this.pubsubNames(channel)) await this.link.unsubscribe(name, watched.listener);
      } else {
        await Promise.all(this.pubsubNames(channel).map((name) => this.link.subscribe([name], watched.listener)));
        watched.live = true;
      }
    }
    if (watched.count === 0) this.channels.delete(channel);
  }

  private pubsubNames(channel: string): string[] {
    if (channel === EVERYTHING) return this.partitions.all.map((partition) => PUBSUB.firehose(this.keys.root(partition)));
    return [PUBSUB.channel(this.keys.root(this.partitions.ofChannel(channel)), channel)];
  }

  /** The heartbeat tells of anonymous connections, and of all of them. */
  private report(channel: string): void {
    if (channel === EVERYTHING || channel === BROADCAST_CHANNEL) return;
    this.unreported.add(channel);
    this.reporting ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.reportAll())
      .catch((error: unknown) => this.onError('telling what this node serves', error))
      .finally(() => {
        this.reporting = undefined;
      });
  }

  private async reportAll(): Promise<void> {
    const channels = [...this.unreported];
    this.unreported.clear();
    const told = await Promise.allSettled(
      channels.map((channel) => {
        const root = this.keys.root(this.partitions.ofChannel(channel));
        return this.link.run(WATCH, root, channel, this.nodeId, this.count(channel), REMEMBERED_MS);
      }),
    );
    for (const [index, result] of told.entries()) {
      const channel = channels[index];
      if (result.status === 'rejected' && channel !== undefined) this.unreported.add(channel);
    }
    const failed = told.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason as Error;
  }
}
