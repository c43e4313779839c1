/**
 * Every name that this engine uses in Redis, for TypeScript and for Lua. Nothing else makes one up.
 *
 *  1. Every key and every pub/sub channel of one partition starts with its root, `<prefix>:<database>:{p<n>}`. The braces are
 *     Redis Cluster's hash tag, so that one script may touch all of it. Redis pub/sub ignores the database, so the root names it.
 *  2. A script gets the root as KEYS[1] and derives the rest, by the same suffixes as here. KEYS[2] is there for Redis
 *     Cluster alone: of the two one always exists and one never does, which in a slot that is being moved from one master to
 *     another no master has both of. So each of them says TRYAGAIN, instead of running the script on half of its keys.
 *  3. Names of users, tasks, channels and keys come last, so that no text in them can be taken for something else.
 */
export class Keys {
  /** One per cluster of nodes: who is alive, and how the data is laid out. */
  readonly nodes: string;
  private readonly scope: string;

  /** @param prefix without braces, which would be taken for the hash tag */
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

/** What a script is given as its keys. */
export const scriptKeys = (root: string): string[] => [root, `${root}:meta`];

/** Pub/sub channels of a partition. They only wake. */
export const PUBSUB = {
  /** Decisions and task cancellations; every node listens. */
  feed: (root: string): string => `${root}:feed`,
  /** What concerns one node: evictions, acknowledgements of what it sent, its own tick. */
  node: (root: string, nodeId: string): string => `${root}:node:${nodeId}`,
  /** What concerns one channel of the application's words; nodes that serve it listen. */
  channel: (root: string, channel: string): string => `${root}:channel:${channel}`,
  /** Everything of all users and tasks of the partition; nodes with anonymous connections listen. */
  firehose: (root: string): string => `${root}:firehose`,
};

/** The same names within a script, and those of the data, which only scripts touch. */
export const LUA_KEYS = `
local root = KEYS[1]
-- HASH: order (the clock, microseconds), feed (order of the newest event), told, tick, tick_run, running_since, epoch, run,
-- run_at, mark, offset (of the clock against the server's, milliseconds), seen (the clock at the newest tick), asked, unserved,
-- notices:<event> (until when notices of that webhook event are kept), floor
local META = root .. ':meta'
-- HASH: node -> '<until when it has read its sockets> <when it said so> <1 while it serves>'
local READING = root .. ':reading'
-- STREAM of decisions, task events and revocations; an entry's id is its order
local EVENTS = root .. ':events'
-- ZSETs of callback ids: by order; by order while pending; by deadline; by the moment of the warning; by decision time
local ALL, PENDING = root .. ':all', root .. ':pending'
local DUE, EXPIRING, DECIDED = root .. ':due', root .. ':expiring', root .. ':decided'
local function CONFIRMATION(id) return root .. ':confirmation:' .. id end
-- STRING: a callback id
local function KEY(user, key) return root .. ':key:' .. #user .. ':' .. user .. ':' .. key end
local function OF_USER(user) return root .. ':of-user:' .. user end
local function OF_USER_PENDING(user) return root .. ':of-user-pending:' .. user end
local function OF_TASK(task) return root .. ':of-task:' .. task end
local function OF_TASK_PENDING(task) return root .. ':of-task-pending:' .. task end
-- HASH: the newest cancellation of a task that lives in another partition, for prompts that are under way
local function CANCELLED(task) return root .. ':cancelled:' .. task end
-- ZSETs of task ids: by last use; cancelled, but not yet in all partitions
local TASKS, UNDONE = root .. ':tasks', root .. ':undone'
local function TASK(task) return root .. ':task:' .. task end
-- SET: the partitions in which a task has had prompts
local function TASK_PARTS(task) return root .. ':task-parts:' .. task end
-- STRING: the newest offset; STREAM whose ids are offsets; ZSET of channels that have them, by when they are forgotten
local function HEAD(channel) return root .. ':head:' .. channel end
local function HISTORY(channel) return root .. ':history:' .. channel end
local CHANNELS = root .. ':channels'
-- HASH: node -> connections that it serves
local function WATCHERS(channel) return root .. ':watchers:' .. channel end
-- ZSETs of message ids by expiry: all; those that wait
local KEPT, WAITING = root .. ':kept', root .. ':waiting'
local function MESSAGE(id) return root .. ':message:' .. id end
local function WAITING_OF(user) return root .. ':waiting-of:' .. user end
-- STRING: whose a message is, in the partition of its id
local function MESSAGE_OWNER(id) return root .. ':owner:' .. id end
-- ZSETs of notices: by the moment from which they can be claimed; by when they happened
local NOTICES, NOTED = root .. ':notices', root .. ':noted'
-- HASH: kind, subject (a callback id, or JSON of a task event), event, at, attempt
local function NOTICE(id) return root .. ':notice:' .. id end
-- STRING: when a user was revoked, milliseconds
local function REVOKED(user) return root .. ':revoked:' .. user end
-- ZSET of '<node> <connection>' by order
local function CONNECTIONS(user) return root .. ':connections:' .. user end
-- HASH: of these, what is known
local function DEVICES(user) return root .. ':devices:' .. user end
local function TO_CHANNEL(channel) return root .. ':channel:' .. channel end
local function TO_NODE(node) return root .. ':node:' .. node end
local TO_FEED, TO_FIREHOSE = root .. ':feed', root .. ':firehose'
`;
