/**
 * The names of partitions and of pub/sub channels in Redis. Nothing else makes one up, apart from `lua/includes/keys/*.lua`,
 * which names the data that only scripts touch.
 *
 *  1. Every key and every pub/sub channel of one partition starts with its root, `<prefix>:<database>:{p<n>}`. The braces are
 *     Redis Cluster's hash tag, so that one script may touch all of it. Redis pub/sub ignores the database, so the root names it.
 *  2. A script gets the root as KEYS[1] and derives the rest. KEYS[2] serves Redis Cluster: one of the two keys always
 *     exists and one never does. While a slot moves from one master to another, no master has both. So each of them answers
 *     TRYAGAIN, instead of running the script on half of its keys. A script that works on several partitions, which only a
 *     single server allows, gets such a pair of keys for each.
 *  3. Names of users, tasks, channels and keys come last, so that no text in them can be taken for something else.
 */
export class Keys {
  /** HASH, one per cluster of nodes: which nodes are alive, and how the data is laid out. */
  readonly nodes: string;
  private readonly scope: string;

  /** @param prefix without braces, which Redis would take for the hash tag */
  constructor(prefix: string, database = 0) {
    this.scope = `${prefix}:${database}`;
    this.nodes = `${this.scope}:{nodes}`;
  }

  root(partition: number): string {
    return `${this.scope}:{p${partition}}`;
  }
}

/** The database number that a `redis://` URL names in its path; 0 when it names none. */
export const databaseOf = (url: string): number => Number(new URL(url).pathname.slice(1));

/** The KEYS of a script. @param roots of the partitions that it works on */
export const scriptKeys = (roots: readonly string[]): string[] => roots.flatMap((root) => [root, `${root}:meta`]);

/** Pub/sub channels of a partition. They only wake. */
export const PUBSUB = {
  /** Decisions, task events, revocations and leases; every node listens. */
  feed: (root: string): string => `${root}:feed`,
  /** What concerns one node: evictions, acknowledgements of messages that it sent, requests for its reading mark, its probe. */
  node: (root: string, nodeId: string): string => `${root}:node:${nodeId}`,
  /** What concerns one channel of the application; nodes that watch it listen. */
  channel: (root: string, channel: string): string => `${root}:channel:${channel}`,
  /** Everything of all users and tasks of the partition; nodes with anonymous connections listen. */
  firehose: (root: string): string => `${root}:firehose`,
};
