/** What is known of a user's connections, over all nodes: each node writes about its own. */
import type { Device } from '../../engine.js';
import type { Keys } from '../keys.js';
import type { RedisConnections } from '../connection/redis-connections.js';
import type { Nodes } from '../cluster/node-registry.js';
import type { Partitions } from '../partitions.js';
import { groups, text } from '../reply-decoder.js';
import { DESCRIBE, DEVICES_OF } from '../scripts/device.js';

/** Like the list of connections; each description renews it. */
const REMEMBERED_MS = 2 * 86_400_000;

export class Devices {
  constructor(
    private readonly link: RedisConnections,
    private readonly keys: Keys,
    private readonly partitions: Partitions,
    private readonly nodes: Nodes,
  ) {}

  async describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void> {
    const member = `${this.nodes.id} ${connectionId}`;
    await this.link.run(DESCRIBE, this.rootOf(userId), userId, member, JSON.stringify(device), REMEMBERED_MS);
  }

  /** Those of living nodes, oldest first. */
  async of(userId: string): Promise<Device[]> {
    const pairs = groups(await this.link.run(DEVICES_OF, this.rootOf(userId), userId), 2);
    return [...pairs].flatMap(([member, device]) => {
      const node = text(member).split(' ', 1)[0] ?? '';
      return this.nodes.isAlive(node) ? [{ node, ...(JSON.parse(text(device)) as Omit<Device, 'node'>) }] : [];
    });
  }

  private rootOf(userId: string): string {
    return this.keys.root(this.partitions.of(userId));
  }
}
