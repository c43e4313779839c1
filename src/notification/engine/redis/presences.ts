/**
 * Who is connected, over all nodes, and the limit per user. A connection counts as long as its node's lease runs;
 * whoever connects clears away what dead nodes left.
 */
import type { Keys } from './keys.js';
import type { RedisLink } from './link.js';
import type { Nodes } from './nodes.js';
import type { Partitions } from './partitions.js';
import { list, text } from './records.js';
import { CONNECT, CONNECTED, DISCONNECT } from './scripts/node.js';

const REMEMBERED_MS = 2 * 86_400_000;

export class Presences {
  /** This node's: connection -> user. */
  private readonly own = new Map<string, string>();

  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keys,
    private readonly partitions: Partitions,
    private readonly nodes: Nodes,
    private readonly limit: number,
    private readonly onEvicted: (connectionId: string) => void,
  ) {}

  get size(): number {
    return this.own.size;
  }

  async add(connectionId: string, userId: string): Promise<void> {
    this.own.set(connectionId, userId);
    const reply = await this.link.run(CONNECT, this.rootOf(userId), userId, this.memberOf(connectionId), REMEMBERED_MS);
    const members = list(reply).map(text);
    const alive = members.filter((member) => this.nodes.isAlive(nodeOf(member)));
    const dead = members.filter((member) => !alive.includes(member));
    const over = alive.slice(0, Math.max(0, alive.length - this.limit));
    if (dead.length > 0) await this.link.run(DISCONNECT, this.rootOf(userId), userId, '', ...dead);
    if (over.length > 0) await this.link.run(DISCONNECT, this.rootOf(userId), userId, '1', ...over);
  }

  async remove(connectionId: string, userId: string): Promise<void> {
    this.own.delete(connectionId);
    await this.link.run(DISCONNECT, this.rootOf(userId), userId, '', this.memberOf(connectionId));
  }

  async count(userId: string): Promise<number> {
    const members = list(await this.link.run(CONNECTED, this.rootOf(userId), userId)).map(text);
    return members.filter((member) => this.nodes.isAlive(nodeOf(member))).length;
  }

  /** A message for this node: the limit was passed, somewhere. */
  evicted(connectionId: string): void {
    if (this.own.delete(connectionId)) this.onEvicted(connectionId);
  }

  /** Puts this node's connections back on the lists: after its lease ran out, after Redis lost something, now and then. */
  async restore(): Promise<void> {
    for (const [connectionId, userId] of [...this.own])
      if (this.own.get(connectionId) === userId) await this.add(connectionId, userId);
  }

  private memberOf(connectionId: string): string {
    return `${this.nodes.id} ${connectionId}`;
  }

  private rootOf(userId: string): string {
    return this.keys.root(this.partitions.of(userId));
  }
}

const nodeOf = (member: string): string => member.slice(0, member.indexOf(' '));
