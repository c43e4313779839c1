/**
 * The nodes: this one's lease, and who else is alive. Times are by Redis' clock.
 *
 * A node's id starts with its birth, so that one which has not been heard of yet is told from one that is long gone. It ends
 * with the node's name, if it has one.
 */
import { randomBytes } from 'node:crypto';
import type { Keys } from '../keys.js';
import type { RedisConnections } from '../connection/redis-connections.js';
import { groups, list, text } from '../reply-decoder.js';
import { HEARTBEAT } from '../scripts/node.js';
import { Date } from '../../../pacing/time-source.js';

export const LEASE_MS = 5000;
/** Of two nodes' ideas of the time when one of them was born. */
const YOUNG_MS = 60_000;
/** Two heartbeats missed: what ran may be gone. */
const RUNNING_MS = 1500;
const REMEMBERED_MS = 86_400_000;

interface Known {
  seen: number;
  connections: number;
  anonymous: number;
  /** For how long it keeps what is past, milliseconds. */
  retentionMs: number;
}

export class Nodes {
  readonly id: string;
  private known = new Map<string, Known>();
  /** Of the others that are alive, as of the last beat. */
  private others = { connections: 0, anonymous: 0 };
  private now = Date.now();
  private renewed = 0;
  private inTurn: string[];

  constructor(
    private readonly link: RedisConnections,
    private readonly keys: Keys,
    private readonly retentionMs: number,
    name?: string,
  ) {
    this.id = [Date.now(), randomBytes(6).toString('hex'), name].filter((part) => part !== undefined).join('.');
    this.inTurn = [this.id];
  }

  /** Renews the lease. @returns whether it had run out meanwhile */
  async beat(connections: number, anonymous: number, leaves = false): Promise<boolean> {
    const reply = await this.link.run(
      HEARTBEAT,
      this.keys.nodes,
      this.id,
      connections,
      anonymous,
      leaves ? '1' : '',
      REMEMBERED_MS,
      this.retentionMs,
    );
    const [now, ...nodes] = list(reply);
    this.now = Number(text(now));
    this.known = new Map(
      [...groups(nodes, 2)].map(([id, state]) => {
        const [seen = 0, its = 0, unknown = 0, retentionMs = this.retentionMs] = text(state).split(' ').map(Number);
        return [text(id), { seen, connections: its, anonymous: unknown, retentionMs }];
      }),
    );
    this.others = { connections: this.sumUp('connections'), anonymous: this.sumUp('anonymous') };
    const lapsed = this.renewed > 0 && this.now - this.renewed > LEASE_MS;
    this.renewed = this.now;
    this.inTurn = [...new Set([this.id, ...this.known.keys()])].filter((id) => this.isAlive(id)).sort();
    return lapsed;
  }

  isAlive(id: string): boolean {
    if (id === this.id) return true;
    const known = this.known.get(id);
    return known ? this.now - known.seen < LEASE_MS : this.now - Number.parseInt(id, 10) < YOUNG_MS;
  }

  /** Whether no other node has been heard of lately. */
  get isAlone(): boolean {
    return ![...this.known].some(([id, { seen }]) => id !== this.id && this.now - seen < RUNNING_MS);
  }

  /** The retention of another node that runs, where it differs from this node's. */
  get otherRetentionMs(): number | undefined {
    const differing = [...this.known.values()].filter(({ retentionMs }) => retentionMs !== this.retentionMs);
    return differing.find(({ seen }) => this.now - seen < RUNNING_MS)?.retentionMs;
  }

  /** How many nodes are alive. Those of one name are one. */
  get count(): number {
    return new Set(this.inTurn.map((id) => id.split('.')[2] ?? id)).size;
  }

  /** Whether this is the one of the living nodes that looks after a partition. They may differ about it for a while. */
  isTurn(partition: number): boolean {
    return this.inTurn[partition % this.inTurn.length] === this.id;
  }

  /** Of the other nodes that are alive. */
  sum(field: 'connections' | 'anonymous'): number {
    return this.others[field];
  }

  /** Of a flat list of nodes and counts, those of others that are alive. */
  sumOf(watchers: unknown): number {
    const items = list(watchers);
    let sum = 0;
    for (let index = 0; index + 1 < items.length; index += 2) {
      const node = text(items[index]);
      if (node !== this.id && this.isAlive(node)) sum += Number(items[index + 1]);
    }
    return sum;
  }

  private sumUp(field: 'connections' | 'anonymous'): number {
    return [...this.known].reduce((sum, [id, known]) => (id !== this.id && this.isAlive(id) ? sum + known[field] : sum), 0);
  }
}
