/** Subscriptions to the pub/sub channels of the partitions. */
import { parseChannel } from '../../../../protocol/channels.js';
import { EVERYTHING } from '../../broker.js';
import { PUBSUB, type Keys } from '../keys.js';
import type { Partitions } from '../partitions.js';
import type { Listener } from './redis-client.js';
import type { RedisConnections } from './redis-connections.js';

export class PubSub {
  constructor(
    private readonly connections: RedisConnections,
    private readonly keys: Keys,
    private readonly partitions: Partitions,
  ) {}

  /** @param channel of the application, or `EVERYTHING` @throws EngineUnavailableError */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    await Promise.all(this.namesOf(channel).map((name) => this.connections.subscribe([name], listener)));
  }

  async unsubscribe(channel: string, listener: Listener): Promise<void> {
    for (const name of this.namesOf(channel)) await this.connections.unsubscribe(name, listener);
  }

  /** The events of a partition. With WAIT for replicas an event is passed on once they have it; otherwise it is left out. */
  subscribeToEvents(partition: number, listener: Listener): Promise<void> {
    const root = this.keys.root(partition);
    return this.connections.subscribe(
      [PUBSUB.feed(root)],
      this.connections.waitsForReplicas ? this.onceReplicated(root, listener) : listener,
    );
  }

  /** What a partition publishes for one node. */
  subscribeToNode(partition: number, nodeId: string, listener: Listener): Promise<void> {
    return this.connections.subscribe([PUBSUB.node(this.keys.root(partition), nodeId)], listener);
  }

  private onceReplicated(root: string, listener: Listener): Listener {
    let before = Promise.resolve();
    return (message) => {
      const replicated = Promise.allSettled([this.connections.replicated(root)]);
      before = before.then(async () => {
        const [{ status }] = await replicated;
        if (status === 'fulfilled') listener(message);
      });
    };
  }

  private namesOf(channel: string): string[] {
    if (channel === EVERYTHING) return this.partitions.all.map((partition) => PUBSUB.firehose(this.keys.root(partition)));
    return [PUBSUB.channel(this.keys.root(this.partitions.ofChannel(parseChannel(channel))), channel)];
  }
}
