/**
 * The connections of each user, over all nodes, and the limit per user.
 *
 *  1. A connection counts as long as its node's lease runs. `connect` clears away the connections of dead nodes.
 *  2. A disconnection that Redis may have missed is repeated with every heartbeat: a phantom would push a living connection over
 *     the limit.
 */
import type { Emitter } from '../../emitter.js';
import { RECONNECT_WITHIN_MS, RECONNECTS_FOR_MS, type Device, type Presence } from '../../presence.js';
import type { NodeRegistry } from '../cluster/node-registry.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { CONNECT, CONNECTED, DESCRIBE, DEVICES_OF, DISCONNECT } from '../scripts/presence.js';

const REMEMBERED_MS = 2 * 86_400_000;

interface OwnConnection {
  userId: string;
  /** Its place among the user's connections, empty before Redis has given one. It keeps the place whatever Redis loses. */
  order: string;
}

export class RedisPresence implements Presence {
  /** This node's connections, by id. */
  private readonly own = new Map<string, OwnConnection>();
  /** Closed connections that may still be on a user's list, by connection and user. */
  private readonly closed = new Map<string, { connectionId: string; userId: string }>();

  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly nodes: NodeRegistry,
    private readonly emitter: Emitter,
    private readonly maxConnectionsPerUser: number,
  ) {}

  /** The number of this node's connections. */
  get size(): number {
    return this.own.size;
  }

  async connect(connectionId: string, userId: string): Promise<{ reconnected: boolean }> {
    this.closed.delete(closedKey(connectionId, userId));
    const own = { userId, order: '' };
    this.own.set(connectionId, own);
    try {
      return { reconnected: await this.register(connectionId, own) };
    } catch (error) {
      // The caller takes the connection for uncounted, but the script may have run.
      this.remove(connectionId, userId);
      throw error;
    }
  }

  async disconnect(connectionId: string, userId: string): Promise<void> {
    this.remove(connectionId, userId);
    await this.sendDisconnect(connectionId, userId);
  }

  async count(userId: string): Promise<number> {
    const { members } = await this.runner.run(CONNECTED, this.partitions.of(userId), { user: userId });
    return members.filter((member) => this.nodes.isAlive(nodeOf(member))).length;
  }

  async reconnects(userId: string): Promise<number> {
    return (await this.runner.run(CONNECTED, this.partitions.of(userId), { user: userId })).reconnects;
  }

  async describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void> {
    const member = this.memberOf(connectionId);
    await this.runner.run(DESCRIBE, this.partitions.of(userId), { user: userId, member, device, ttl: REMEMBERED_MS });
  }

  async devices(userId: string): Promise<Device[]> {
    const described = await this.runner.run(DEVICES_OF, this.partitions.of(userId), { user: userId });
    return described.flatMap(({ member, device }) => {
      const node = nodeOf(member);
      return this.nodes.isAlive(node) ? [{ node, ...(JSON.parse(device) as Omit<Device, 'node'>) }] : [];
    });
  }

  /** The limit was passed on some node: a connection of this node must close. */
  evict(connectionId: string): void {
    if (this.own.delete(connectionId)) this.emitter.emit((handler) => handler.onEvicted(connectionId));
  }

  /** Repeats disconnections that Redis may have missed. */
  async retryDisconnects(): Promise<void> {
    await Promise.all([...this.closed.values()].map(({ connectionId, userId }) => this.sendDisconnect(connectionId, userId)));
  }

  /** Puts this node's connections back on the lists: after its lease ended, after Redis lost something, and now and then. */
  async restore(): Promise<void> {
    for (const [connectionId, own] of [...this.own])
      if (this.own.get(connectionId) === own) await this.register(connectionId, own);
  }

  private remove(connectionId: string, userId: string): void {
    // The connection may be another user's by now.
    if (this.own.get(connectionId)?.userId === userId) this.own.delete(connectionId);
    this.closed.set(closedKey(connectionId, userId), { connectionId, userId });
  }

  private async sendDisconnect(connectionId: string, userId: string): Promise<void> {
    await this.takeOff(userId, [this.memberOf(connectionId)], false);
    this.closed.delete(closedKey(connectionId, userId));
  }

  /** @returns whether the connection replaces one that has just ended */
  private async register(connectionId: string, own: OwnConnection): Promise<boolean> {
    const { userId } = own;
    const { order, members, reconnected } = await this.runner.run(CONNECT, this.partitions.of(userId), {
      user: userId,
      member: this.memberOf(connectionId),
      ttl: REMEMBERED_MS,
      knownOrder: own.order,
      reconnectsFor: RECONNECTS_FOR_MS,
    });
    own.order = order;
    const alive = members.filter((member) => this.nodes.isAlive(nodeOf(member)));
    const dead = members.filter((member) => !alive.includes(member));
    const over = alive.slice(0, Math.max(0, alive.length - this.maxConnectionsPerUser));
    if (dead.length > 0) await this.takeOff(userId, dead, false);
    if (over.length === 0) return reconnected;
    await this.takeOff(userId, over, true);
    // This node may not receive the eviction of its own connections by pub/sub.
    for (const each of over) if (nodeOf(each) === this.nodes.id) this.evict(each.slice(each.indexOf(' ') + 1));
    return reconnected;
  }

  private async takeOff(userId: string, members: string[], evict: boolean): Promise<void> {
    await this.runner.run(DISCONNECT, this.partitions.of(userId), {
      user: userId,
      evict,
      reconnectWithin: RECONNECT_WITHIN_MS,
      members,
    });
  }

  private memberOf(connectionId: string): string {
    return `${this.nodes.id} ${connectionId}`;
  }
}

const closedKey = (connectionId: string, userId: string): string => `${connectionId} ${userId}`;

const nodeOf = (member: string): string => member.slice(0, member.indexOf(' '));
