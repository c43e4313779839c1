/**
 * For every script of the Redis engine: what makes a node run it, and what holds when its reply was lost after it ran.
 * A script that is not in this table fails the test that goes through it.
 */
import { parseChannel } from '../../src/protocol/channels.js';
import { NEWS } from './news.js';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineSettings, Waiting, WebhookEvent, OpenRequest } from '../../src/notification/engine/engine.js';
import { Partitions } from '../../src/notification/engine/redis/partitions.js';
import type { RedisEngineOptions } from '../../src/notification/engine/redis/redis-engine.js';
import { PARTITIONS, type Node } from './redis-nodes.js';
import type { RedisServer } from './redis.js';
import type { TcpProxy } from './tcp-proxy.js';
import { AFTER_DECISIONS } from './webhook-events.js';

export interface Scene {
  server: RedisServer;
  /** The node whose reply is lost; for `layout` it is not there yet. */
  node: Node;
  /** Another node, to which nothing happens. */
  other: Node;
  startNode(): Promise<Node>;
  /** What `given` has claimed. */
  event?: WebhookEvent;
  /** Between the node and Redis. */
  proxy: TcpProxy;
}

export interface ScriptCase {
  settings?: Partial<EngineSettings>;
  options?: Partial<RedisEngineOptions>;
  given?(scene: Scene): Promise<unknown>;
  /** What makes the node run the script; repeated, with the same ids, after its reply was lost. */
  act(scene: Scene): Promise<unknown>;
  /**
   * How `act` ends when the reply is lost: refused, as everything that somebody calls; `heals`: the node does it again by
   * itself. @default 'refused'
   */
  lost?: 'refused' | 'heals';
  /** Whether a repetition counts as another one; then it is not repeated. */
  once?: true;
  /** Of what `act` gives, what is the same for a repetition. */
  same?(result: never): unknown;
  /** What holds in the end. */
  after?(scene: Scene): Promise<void>;
}

const CALLBACK = 'c-1';
const ask = (overrides: Partial<OpenRequest> = {}): OpenRequest => ({
  callbackId: CALLBACK,
  userId: 'ann',
  taskId: 'task-1',
  step: 1,
  prompt: { stepResult: { message: 'Deploy?' } },
  timeoutMs: null,
  onTimeout: 'abort',
  onTimeoutBy: 'caller',
  key: 'k',
  fingerprint: 'f',
  ...overrides,
});
const open = async ({ other }: Scene, overrides: Partial<OpenRequest> = {}): Promise<string> => {
  const { confirmation } = await other.engine.confirmations.open(ask(overrides));
  return confirmation.callbackId;
};
/** As it is stored. */
const ID = new Partitions(PARTITIONS).callbackId(CALLBACK, 'ann');
const yes = ({ node }: Scene) =>
  node.engine.confirmations.decide({ callbackId: ID, scope: 'all', answeredBy: 'ann', answer: { proceed: true } });
const cancel = ({ node }: Scene) =>
  node.engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: 'ann', allowUnknown: false });
const mail = {
  messageId: 'm-1',
  userId: 'ann',
  message: { type: 'mail' },
  ttlMs: 600_000,
};
const keep = ({ other }: Scene) => other.engine.broker.sendAcknowledged(mail);
const watchAnn = ({ other }: Scene) => other.engine.broker.watch('user:ann');
const publish = ({ node }: Scene, channel = 'news') =>
  node.engine.broker.publish({ channel: parseChannel(channel), message: { type: 'x' }, recoverable: true });

const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
  while (!(await condition())) await delay(5);
};
/** Both nodes emit exactly `count` decisions. */
const decidedOnce = async ({ node, other }: Scene, outcome: string, count = 1): Promise<void> => {
  for (const { recorder } of [node, other]) {
    await recorder.nth('decided', count);
    expect(recorder.of('decided').map(({ confirmation }) => confirmation.state)).toEqual(Array(count).fill(outcome));
  }
};
const withoutTimes = ({ status, confirmation }: { status: string; confirmation?: { decision?: object } }) => [
  status === 'repeated' ? 'accepted' : status,
  { ...confirmation?.decision, decidedAt: 0 },
];
/** A webhook event of a decision is stored, and the node knows that there is something to claim. */
const eventStored = async (scene: Scene): Promise<void> => {
  await open(scene);
  await yes({ ...scene, node: scene.other });
  await scene.node.recorder.nth('webhook events');
};
/** One that the node holds. */
const claimed = async ({ node }: Scene): Promise<WebhookEvent> => {
  for (;;) {
    const [event] = await node.engine.events.claim(1, 60_000);
    if (event) return event;
    await delay(5);
  }
};
const waitingNotices = async ({ other }: Scene): Promise<number> => (await other.engine.events.counts()).waiting;

const forgetsTheTask: ScriptCase = {
  settings: { retentionMs: 400 },
  given: ({ other }) => other.engine.tasks.claim('task-1', 'ann'),
  act: () => Promise.resolve(),
  lost: 'heals',
  after: ({ other }) => until(async () => (await other.engine.tasks.get('task-1')) === undefined),
};
const cancels: ScriptCase = {
  given: async (scene) => {
    await open(scene);
    await open(scene, { callbackId: 'c-2', userId: 'bob' });
  },
  act: cancel,
  same: ({ task }: { task: { cancelled: boolean; userId: string } }) => [task.cancelled, task.userId],
  after: async (scene) => {
    await decidedOnce(scene, 'cancelled', 2);
    await scene.other.recorder.nth('task');
    expect(scene.other.recorder.of('task')).toHaveLength(1);
  },
};

export const SCRIPT_CASES: Record<string, ScriptCase> = {
  open: {
    given: watchAnn,
    act: ({ node }) => node.engine.confirmations.open(ask()),
    same: ({ confirmation }: { confirmation: object }) => ({ ...confirmation, createdAt: 0 }),
    after: async ({ other }) => {
      const { confirmation } = await other.recorder.nth('opened');
      expect((await other.engine.waiting('ann')).pendingIds).toEqual([confirmation.callbackId]);
      expect(other.recorder.of('opened')).toHaveLength(1);
    },
  },
  decide: { given: open, act: yes, same: withoutTimes, after: (scene) => decidedOnce(scene, 'answered') },
  withdraw: {
    given: open,
    act: ({ node }) => node.engine.confirmations.withdraw({ callbackId: ID, scope: 'all', reason: 'enough' }),
    same: withoutTimes,
    after: (scene) => decidedOnce(scene, 'withdrawn'),
  },
  'mark-seen': {
    given: open,
    act: ({ node }) => node.engine.confirmations.markSeen(ID, 'all'),
    same: withoutTimes,
    after: async ({ node }) => expect(await node.engine.confirmations.get(ID)).toHaveProperty('seenAt'),
  },
  dismiss: {
    given: open,
    act: ({ node }) => node.engine.confirmations.dismiss({ callbackId: ID, scope: 'all', until: 4_102_444_800_000 }),
    same: withoutTimes,
    after: async ({ node }) =>
      expect(await node.engine.confirmations.get(ID)).toMatchObject({ state: 'pending', dismissedUntil: 4_102_444_800_000 }),
  },
  get: {
    // It applies a deadline that is due, once every node has read what came before it.
    given: (scene) => open(scene, { timeoutMs: 1 }),
    act: async ({ node }) => {
      for (;;) {
        const confirmation = await node.engine.confirmations.get(ID);
        if (confirmation?.state !== 'pending') return confirmation;
      }
    },
    same: ({ state }: { state: string }) => state,
    after: (scene) => decidedOnce(scene, 'timed_out'),
  },
  list: {
    given: open,
    act: ({ node }) => node.engine.confirmations.list({ scope: ['ann'], limit: 10 }),
    same: ({ items }: { items: unknown[] }) => items.length,
  },
  'pending-ids': { given: open, act: ({ node }) => node.engine.waiting('ann'), same: ({ pendingIds }: Waiting) => pendingIds },
  'cancel-confirmations': cancels,
  cancel: cancels,
  'cancel-done': cancels,
  resume: {
    given: async (scene) => {
      await scene.other.engine.tasks.claim('task-1', 'ann');
      await cancel({ ...scene, node: scene.other });
    },
    act: ({ node }) => node.engine.tasks.resume('task-1'),
    same: ({ task }: { task: object }) => task,
    after: async ({ other }) => {
      await other.recorder.nth('task', 2);
      expect(other.recorder.of('task').map(({ task }) => task.cancelled)).toEqual([true, false]);
      expect((await other.engine.confirmations.open(ask())).confirmation.state).toBe('pending');
    },
  },
  claim: { act: ({ node }) => node.engine.tasks.claim('task-1', 'ann'), same: (task: object) => task },
  'get-task': {
    given: ({ other }) => other.engine.tasks.claim('task-1', 'ann'),
    act: ({ node }) => node.engine.tasks.get('task-1'),
    same: (task: object) => task,
  },
  'is-busy': {
    settings: { retentionMs: 400 },
    given: open,
    act: () => Promise.resolve(),
    lost: 'heals',
    // A task with pending prompts is not forgotten, however long it has not been named.
    after: async ({ other }) => expect(await other.engine.tasks.get('task-1')).toMatchObject({ userId: 'ann' }),
  },
  'task-partitions': forgetsTheTask,
  'forget-task': forgetsTheTask,
  publish: {
    given: ({ other }) => other.engine.broker.watch('news'),
    act: publish,
    // A plain message has no id of its caller's: who sends it again has sent two.
    once: true,
    after: async ({ other }) => {
      await other.recorder.nth('publication');
      const { epoch, offset } = await other.engine.broker.position('news');
      expect(offset).toBe(1);
      const history = await other.engine.broker.history({ channel: 'news', since: { epoch, offset: 0 }, limit: 10 });
      expect(history).toMatchObject({ complete: true, publications: [{ offset: 1, text: '{"type":"x"}' }] });
      expect(other.recorder.of('publication')).toHaveLength(1);
    },
  },
  forward: {
    given: async ({ other }) => {
      await other.engine.tasks.claim('task-1', 'ann');
      await other.engine.broker.watch('user:ann');
    },
    act: (scene) => publish(scene, 'task:task-1'),
    once: true,
    after: async ({ other }) => {
      await other.recorder.nth('publication');
      expect(other.recorder.of('publication')).toHaveLength(1);
    },
  },
  position: { act: ({ node }) => node.engine.broker.position('news'), same: ({ offset }: { offset: number }) => offset },
  'history-after': {
    given: (scene) => publish({ ...scene, node: scene.other }),
    act: async ({ node, other }) => {
      const { epoch } = await other.engine.broker.position('news');
      return node.engine.broker.history({ channel: 'news', since: { epoch, offset: 0 }, limit: 10 });
    },
    same: ({ complete, publications }: { complete: boolean; publications: unknown[] }) => [complete, publications.length],
  },
  'name-owner': {
    given: watchAnn,
    act: ({ node }) => node.engine.broker.sendAcknowledged(mail),
    after: async ({ other }) => {
      await other.recorder.nth('message');
      expect(await other.engine.counts()).toMatchObject({ unacknowledgedMessages: 1 });
    },
  },
  keep: {
    given: watchAnn,
    act: ({ node }) => node.engine.broker.sendAcknowledged(mail),
    after: async ({ other }) => {
      await other.recorder.nth('message');
      expect((await other.engine.broker.unacknowledged('ann', 10)).items).toMatchObject([
        { messageId: mail.messageId, userId: mail.userId, message: mail.message },
      ]);
      expect(other.recorder.of('message')).toHaveLength(1);
    },
  },
  owner: { given: keep, act: ({ node }) => node.engine.broker.ack('m-1', 'all'), same: () => 'acknowledged' },
  ack: {
    given: keep,
    act: ({ node }) => node.engine.broker.ack('m-1', ['ann']),
    same: (result: string) => (result === 'repeated' ? 'acknowledged' : result),
    after: async ({ other }) => {
      await other.recorder.nth('acknowledged');
      expect(other.recorder.of('acknowledged')).toHaveLength(1);
      expect(await other.engine.counts()).toMatchObject({ unacknowledgedMessages: 0 });
    },
  },
  acknowledged: {
    given: async (scene) => {
      await keep(scene);
      await scene.other.engine.broker.ack('m-1', 'all');
    },
    act: ({ node }) => node.engine.broker.isAcknowledged('m-1', 'ann'),
    same: (acknowledged: boolean) => acknowledged,
  },
  unacknowledged: {
    given: keep,
    act: ({ node }) => node.engine.broker.unacknowledged('ann', 10),
    // The time at which it expires is the server's, and another one in each run.
    same: ({ items }: { items: { messageId: string; message: object }[] }) =>
      items.map(({ messageId, message }) => [messageId, message]),
  },
  counts: { given: open, act: ({ node }) => node.engine.counts([60_000]), same: (counts: object) => counts },
  revoke: {
    act: ({ node }) => node.engine.revocations.revoke('ann'),
    // Revoked again is revoked later: the list of events has another one.
    once: true,
    after: async ({ node, other }) => {
      for (const { recorder } of [node, other]) await recorder.nth('revoked');
      expect(await other.engine.revocations.revokedAt('ann')).toBeDefined();
    },
  },
  review: {
    act: ({ node }) => node.engine.revocations.review('ann'),
    // Repeated it is one more event.
    once: true,
    after: async ({ node, other }) => {
      for (const { recorder } of [node, other]) await recorder.nth('review');
    },
  },
  'revoked-at': { act: ({ node }) => node.engine.revocations.revokedAt('ann'), same: (moment?: number) => moment ?? null },
  'claim-webhook-events': {
    settings: { webhookEvents: AFTER_DECISIONS },
    given: eventStored,
    act: ({ node }) => node.engine.events.claim(10, 60_000),
    // What was claimed comes again when its lease has ended.
    once: true,
    after: async (scene) => expect(await waitingNotices(scene)).toBe(1),
  },
  'complete-webhook-event': {
    settings: { webhookEvents: AFTER_DECISIONS },
    given: async (scene) => {
      await eventStored(scene);
      scene.event = await claimed(scene);
    },
    act: (scene) => scene.node.engine.events.complete(scene.event as WebhookEvent),
    after: async (scene) => expect(await waitingNotices(scene)).toBe(0),
  },
  'postpone-webhook-event': {
    settings: { webhookEvents: AFTER_DECISIONS },
    given: async (scene) => {
      await eventStored(scene);
      scene.event = await claimed(scene);
    },
    act: (scene) => scene.node.engine.events.postpone(scene.event as WebhookEvent, 1),
    same: (given: boolean) => given,
    after: async (scene) => expect((await claimed(scene)).attempt).toBe(2),
  },
  'count-webhook-events': {
    settings: { webhookEvents: AFTER_DECISIONS },
    given: eventStored,
    act: ({ node }) => node.engine.events.counts(),
    same: ({ waiting }: { waiting: number }) => waiting,
  },
  connect: {
    act: ({ node }) => node.engine.presence.connect('x', 'ann'),
    after: async ({ other }) => expect(await other.engine.presence.count('ann')).toBe(1),
  },
  connected: {
    given: ({ other }) => other.engine.presence.connect('y', 'ann'),
    act: ({ node }) => node.engine.presence.count('ann'),
    same: (count: number) => count,
  },
  disconnect: {
    given: ({ node }) => node.engine.presence.connect('x', 'ann'),
    act: ({ node }) => node.engine.presence.disconnect('x', 'ann'),
    after: async ({ other }) => expect(await other.engine.presence.count('ann')).toBe(0),
  },
  describe: {
    given: ({ node }) => node.engine.presence.connect('x', 'ann'),
    act: ({ node }) => node.engine.presence.describe('x', 'ann', { connectedAt: 1, address: '::1' }),
    after: async ({ other }) =>
      expect(await other.engine.presence.devices('ann')).toMatchObject([{ connectedAt: 1, address: '::1' }]),
  },
  'devices-of': {
    given: async ({ other }) => {
      await other.engine.presence.connect('y', 'ann');
      await other.engine.presence.describe('y', 'ann', { connectedAt: 1, address: '::1' });
    },
    act: ({ node }) => node.engine.presence.devices('ann'),
    same: ([device]: { connectedAt: number; address: string }[]) => [device?.connectedAt, device?.address],
  },
  'take-lease': {
    act: ({ node }) => node.engine.broker.takeLease('task-1'),
    after: async ({ other }) => expect(await other.recorder.nth('lease taken')).toMatchObject({ taskId: 'task-1' }),
  },
  watch: {
    act: ({ node }) => node.engine.broker.watch('news'),
    lost: 'heals',
    // Others count on it.
    after: (scene) =>
      until(
        async () =>
          (await scene.other.engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: false })).deliveredTo ===
          1,
      ),
  },
  report: {
    act: ({ other }) => until(async () => (await other.engine.reports()).length === 2),
    lost: 'heals',
  },
  reports: {
    act: ({ node }) => node.engine.reports(),
    same: (reports: { report: string }[]) => reports.map(({ report }) => report)[0],
  },
  heartbeat: {
    act: ({ node }) => node.engine.cluster(1),
    same: ({ nodes }: { nodes: number }) => nodes,
    after: async ({ other }) => expect(await other.engine.cluster(0)).toMatchObject({ nodes: 2, activeConnections: 1 }),
  },
  layout: {
    act: async (scene) => {
      scene.node = await scene.startNode();
    },
    after: async ({ other }) => expect(await other.engine.cluster(0)).toMatchObject({ nodes: 2 }),
  },
  sweep: {
    given: (scene) => open(scene, { timeoutMs: 100, onTimeout: 'abort' }),
    act: () => Promise.resolve(),
    lost: 'heals',
    after: (scene) => decidedOnce(scene, 'timed_out'),
  },
  'events-after': {
    given: open,
    // Decided by another while this node's pub/sub is away: it is read when that is back.
    act: async (scene) => {
      await scene.proxy.refuse();
      await scene.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await yes({ ...scene, node: scene.other });
      await scene.proxy.resume();
    },
    lost: 'heals',
    after: (scene) => decidedOnce(scene, 'answered'),
  },
  mark: {
    options: { waitReplicas: 1 },
    given: open,
    act: yes,
    same: withoutTimes,
    after: (scene) => decidedOnce(scene, 'answered'),
  },
};
