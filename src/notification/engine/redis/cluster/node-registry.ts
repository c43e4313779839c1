/**
 * The nodes: this one's lease, and which others are alive. Times are by Redis' clock.
 *
 * A node's id starts with the time of its birth. That distinguishes a young node without a heartbeat from one that is long gone.
 * It ends with the node's name, if it has one.
 */
import { randomBytes } from 'node:crypto';
import { Date } from '../../../pacing/time-source.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Watchers } from '../scripts/message.js';
import { HEARTBEAT } from '../scripts/node.js';

export const LEASE_MS = 5000;
/** By how much two nodes may disagree about the time when one of them was born. */
const YOUNG_MS = 60_000;
/** After two missed heartbeats a node may be gone. */
const RUNNING_MS = 1500;
const REMEMBERED_MS = 86_400_000;

interface KnownNode {
  seen: number;
  connections: number;
  anonymous: number;
  /** How long the node keeps what is past, milliseconds. */
  retentionMs: number;
}

export class NodeRegistry {
  readonly id: string;
  private known = new Map<string, KnownNode>();
  /** Sums over the other living nodes, as of the newest heartbeat. */
  private others = { connections: 0, anonymous: 0 };
  private now = Date.now();
  private renewedAt = 0;
  /** The living nodes in the order in which they take turns. */
  private turns: string[];

  constructor(
    private readonly runner: ScriptRunner,
    private readonly retentionMs: number,
    name?: string,
  ) {
    this.id = [Date.now(), randomBytes(6).toString('hex'), name].filter((part) => part !== undefined).join('.');
    this.turns = [this.id];
  }

  /** Renews the lease. @returns whether it had ended meanwhile */
  async renewLease(connections: number, anonymous: number): Promise<boolean> {
    const { now, nodes } = await this.sendHeartbeat(connections, anonymous, false);
    this.now = now;
    this.known = new Map(
      nodes.map(({ node, state }) => {
        const [seen = 0, its = 0, unknown = 0, retentionMs = this.retentionMs] = state.split(' ').map(Number);
        return [node, { seen, connections: its, anonymous: unknown, retentionMs }];
      }),
    );
    this.others = { connections: this.sumUp('connections'), anonymous: this.sumUp('anonymous') };
    const hadEnded = this.renewedAt > 0 && now - this.renewedAt > LEASE_MS;
    this.renewedAt = now;
    this.turns = [...new Set([this.id, ...this.known.keys()])].filter((id) => this.isAlive(id)).sort();
    return hadEnded;
  }

  /** Ends the lease: this node's connections count no more. */
  async endLease(): Promise<void> {
    await this.sendHeartbeat(0, 0, true);
  }

  isAlive(id: string): boolean {
    if (id === this.id) return true;
    const known = this.known.get(id);
    return known ? this.now - known.seen < LEASE_MS : this.now - Number.parseInt(id, 10) < YOUNG_MS;
  }

  /** The ids of the living nodes. */
  get alive(): readonly string[] {
    return this.turns;
  }

  /** Whether no other node has sent a heartbeat lately. */
  get isAlone(): boolean {
    return ![...this.known].some(([id, { seen }]) => id !== this.id && this.now - seen < RUNNING_MS);
  }

  /** The retention of another running node, if it differs from this node's. */
  get otherRetentionMs(): number | undefined {
    const differing = [...this.known.values()].filter(({ retentionMs }) => retentionMs !== this.retentionMs);
    return differing.find(({ seen }) => this.now - seen < RUNNING_MS)?.retentionMs;
  }

  /** The number of living nodes. Nodes of one name count as one. */
  get count(): number {
    return new Set(this.turns.map((id) => id.split('.')[2] ?? id)).size;
  }

  /** Whether this is the living node that attends to a partition. Nodes may disagree about it for a while. */
  isTurn(partition: number): boolean {
    return this.turns[partition % this.turns.length] === this.id;
  }

  /** Over the other living nodes. */
  sum(field: 'connections' | 'anonymous'): number {
    return this.others[field];
  }

  /** The counts of the other living nodes. */
  sumOf(watchers: Watchers): number {
    let sum = 0;
    for (const { node, count } of watchers) if (node !== this.id && this.isAlive(node)) sum += count;
    return sum;
  }

  private sendHeartbeat(connections: number, anonymous: number, leaves: boolean) {
    const { id: node, retentionMs: retention } = this;
    return this.runner.runForNodes(HEARTBEAT, {
      node,
      connections,
      anonymous,
      leaves,
      remembered: REMEMBERED_MS,
      retention,
    });
  }

  private sumUp(field: 'connections' | 'anonymous'): number {
    return [...this.known].reduce((sum, [id, known]) => (id !== this.id && this.isAlive(id) ? sum + known[field] : sum), 0);
  }
}
