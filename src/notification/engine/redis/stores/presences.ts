/**
 * Who is connected, over all nodes, and the limit per user. A connection counts as long as its node's lease runs;
 * whoever connects clears away what dead nodes left. What Redis may not have heard of a connection that went, or never came
 * to be, is said again with every beat: a phantom would push a living one over the limit.
 */
import type { Device, Presence } from '../../presence.js';
import type { Keys } from '../keys.js';
import type { RedisConnections } from '../connection/redis-connections.js';
import type { Nodes } from '../cluster/node-registry.js';
import type { Partitions } from '../partitions.js';
import { groups, list, text } from '../reply-decoder.js';
import { DESCRIBE, DEVICES_OF } from '../scripts/device.js';
import { CONNECT, CONNECTED, DISCONNECT } from '../scripts/node.js';

const REMEMBERED_MS = 2 * 86_400_000;

interface Own {
  userId: string;
  /** Its place among the user's connections, once Redis has given one. It keeps it, whatever Redis loses. */
  order: string;
}

export class RedisPresence implements Presence {
  /** This node's, by connection. */
  private readonly own = new Map<string, Own>();
  /** Those that may be on a user's list all the same, by both names. */
  private readonly gone = new Map<string, { connectionId: string; userId: string }>();

  constructor(
    private readonly link: RedisConnections,
    private readonly keys: Keys,
    private readonly partitions: Partitions,
    private readonly nodes: Nodes,
    private readonly limit: number,
    private readonly onEvicted: (connectionId: string) => void,
  ) {}

  get size(): number {
    return this.own.size;
  }

  async connect(connectionId: string, userId: string): Promise<void> {
    this.gone.delete(goneName(connectionId, userId));
    const own = { userId, order: '' };
    this.own.set(connectionId, own);
    try {
      await this.register(connectionId, own);
    } catch (error) {
      // The caller takes it for not counted; the script may have run.
      this.leave(connectionId, userId);
      throw error;
    }
  }

  async disconnect(connectionId: string, userId: string): Promise<void> {
    this.leave(connectionId, userId);
    await this.farewell(connectionId, userId);
  }

  /** Says again what Redis may not have heard. */
  async farewells(): Promise<void> {
    await Promise.all([...this.gone.values()].map(({ connectionId, userId }) => this.farewell(connectionId, userId)));
  }

  private leave(connectionId: string, userId: string): void {
    // It may be another user's by now.
    if (this.own.get(connectionId)?.userId === userId) this.own.delete(connectionId);
    this.gone.set(goneName(connectionId, userId), { connectionId, userId });
  }

  private async farewell(connectionId: string, userId: string): Promise<void> {
    await this.link.run(DISCONNECT, this.rootOf(userId), userId, '', this.memberOf(connectionId));
    this.gone.delete(goneName(connectionId, userId));
  }

  private async register(connectionId: string, own: Own): Promise<void> {
    const { userId, order } = own;
    const member = this.memberOf(connectionId);
    const reply = list(await this.link.run(CONNECT, this.rootOf(userId), userId, member, REMEMBERED_MS, order));
    own.order = text(reply[0]);
    const members = list(reply[1]).map(text);
    const alive = members.filter((member) => this.nodes.isAlive(nodeOf(member)));
    const dead = members.filter((member) => !alive.includes(member));
    const over = alive.slice(0, Math.max(0, alive.length - this.limit));
    if (dead.length > 0) await this.link.run(DISCONNECT, this.rootOf(userId), userId, '', ...dead);
    if (over.length === 0) return;
    await this.link.run(DISCONNECT, this.rootOf(userId), userId, '1', ...over);
    // This node's own may not hear of it by pub/sub.
    for (const each of over) if (nodeOf(each) === this.nodes.id) this.evicted(each.slice(each.indexOf(' ') + 1));
  }

  async count(userId: string): Promise<number> {
    const members = list(await this.link.run(CONNECTED, this.rootOf(userId), userId)).map(text);
    return members.filter((member) => this.nodes.isAlive(nodeOf(member))).length;
  }

  async describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void> {
    await this.link.run(
      DESCRIBE,
      this.rootOf(userId),
      userId,
      this.memberOf(connectionId),
      JSON.stringify(device),
      REMEMBERED_MS,
    );
  }

  async devices(userId: string): Promise<Device[]> {
    const pairs = groups(await this.link.run(DEVICES_OF, this.rootOf(userId), userId), 2);
    return [...pairs].flatMap(([member, device]) => {
      const node = nodeOf(text(member));
      return this.nodes.isAlive(node) ? [{ node, ...(JSON.parse(text(device)) as Omit<Device, 'node'>) }] : [];
    });
  }

  /** A message for this node: the limit was passed, somewhere. */
  evicted(connectionId: string): void {
    if (this.own.delete(connectionId)) this.onEvicted(connectionId);
  }

  /** Puts this node's connections back on the lists: after its lease ran out, after Redis lost something, now and then. */
  async restore(): Promise<void> {
    for (const [connectionId, own] of [...this.own])
      if (this.own.get(connectionId) === own) await this.register(connectionId, own);
  }

  private memberOf(connectionId: string): string {
    return `${this.nodes.id} ${connectionId}`;
  }

  private rootOf(userId: string): string {
    return this.keys.root(this.partitions.of(userId));
  }
}

const goneName = (connectionId: string, userId: string): string => `${connectionId} ${userId}`;

const nodeOf = (member: string): string => member.slice(0, member.indexOf(' '));
