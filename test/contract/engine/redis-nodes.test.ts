/** Many nodes on one Redis behave as one. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import { randomUUID } from 'node:crypto';
import type { RedisNode } from '../../../src/notification/engine/redis/redis-node.js';
import { CANCEL } from '../../../src/notification/engine/redis/scripts/task.js';
import { RedisNodes, type Node } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import { question } from './engine-under-test.js';

requireBinary('redis-server')('nodes of the redis engine', () => {
  let server: RedisServer;
  let nodes: RedisNodes;
  let runs = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    nodes = new RedisNodes(server.url, { keyPrefix: `run-${(runs += 1)}` });
  });
  afterEach(() => nodes.close());

  const pair = async (...settings: Parameters<RedisNodes['start']>): Promise<[Node, Node]> => [
    await nodes.start(...settings),
    await nodes.start(...settings),
  ];
  const ask = async ({ engine }: Node, overrides = {}): Promise<string> =>
    (await engine.confirmations.open(question(overrides))).confirmation.callbackId;
  const answer = ({ engine }: Node, callbackId: string, proceed = true, answeredBy = 'ann') =>
    engine.confirmations.decide({ callbackId, scope: 'all', answeredBy, answer: { proceed } });

  /** The first of the two steps of a cancellation. */
  const cancelOnly = (node: Node, { reason, via }: { reason: string; via: string }) => {
    const { runner, partitions } = partsOf(node);
    const [id, scope, allowUnknown] = ['task-1', 'all' as const, false];
    const args = { id, scope, cancelledBy: null, reason, namedUser: null, allowUnknown, via };
    return runner.run(CANCEL, partitions.of(id), args);
  };
  const partsOf = ({ engine }: Node): RedisNode => (engine as unknown as { node: RedisNode }).node;

  it('receive a publication’s conflation key, also when it is forwarded to the task’s user in another partition', async () => {
    const [one, two] = await pair();
    await one.engine.tasks.claim('task-1', 'ann');
    for (const channel of ['user:ann', 'news']) await two.engine.broker.watch(channel);
    for (const channel of ['news', 'task:task-1'])
      await one.engine.broker.publish({
        channel: parseChannel(channel),
        message: { type: 'x' },
        recoverable: false,
        conflationKey: `x ${channel}`,
      });
    await one.engine.broker.publish({ channel: NEWS, message: { type: 'y' }, recoverable: false });
    await two.recorder.nth('publication', 3);
    const keys = two.recorder.of('publication').map(({ publication }) => publication.conflationKey ?? 'none');
    expect(keys.toSorted()).toEqual(['none', 'x news', 'x task:task-1']);
  });

  it('emit a decision by the clock on every node, and make one of them responsible for its entry in the audit trail', async () => {
    const seen = await pair();
    const asked = question({ timeoutMs: 100, onTimeout: 'abort' });
    const { callbackId } = (await seen[0].engine.confirmations.open(asked)).confirmation;
    for (const { recorder } of seen) await recorder.nth('decided');
    expect(seen.flatMap(({ recorder }) => recorder.responsibleFor)).toEqual([callbackId]);
  });

  it('end the lease of a task’s heartbeat on every other node when one takes it', async () => {
    const [one, two] = await pair();
    const three = await nodes.start();
    const first = await one.engine.broker.takeLease('task-1');
    for (const { recorder } of [two, three])
      expect(await recorder.nth('lease taken')).toEqual({ kind: 'lease taken', taskId: 'task-1' });
    expect(await two.engine.broker.takeLease('task-2')).toBeGreaterThan(0);
    expect(await two.engine.broker.takeLease('task-1')).toBeGreaterThan(first);
    expect(await one.recorder.nth('lease taken')).toEqual({ kind: 'lease taken', taskId: 'task-2' });
    await three.recorder.nth('lease taken', 3);
    expect(two.recorder.of('lease taken')).toHaveLength(1);
  });

  describe('deciding', () => {
    it('let one of two opposite answers win, 1 000 times, and everybody agrees (E2)', async () => {
      const both = await pair();
      for (let round = 0; round < 10; round += 1) {
        const ids = await Promise.all(
          Array.from({ length: 100 }, (_, index) => ask(both[index % 2]!, { userId: `user-${index}` })),
        );
        const answers = await Promise.all(
          ids.flatMap((id) =>
            both.map(async (node, index) => ({ id, index, ...(await answer(node, id, index === 0, `device-${index}`)) })),
          ),
        );
        for (const id of ids) {
          const its = answers.filter((each) => each.id === id);
          expect(its.map(({ status }) => status).sort()).toEqual(['accepted', 'already_resolved']);
          const winner = its.find(({ status }) => status === 'accepted')!;
          for (const each of its)
            expect(each).toMatchObject({
              confirmation: { decision: { proceed: winner.index === 0, answeredBy: `device-${winner.index}` } },
            });
        }
      }
      for (const node of both) await node.recorder.nth('decided', 1000);
      const emitted = both.map(({ recorder }) =>
        recorder
          .of('decided')
          .map(({ confirmation }) => JSON.stringify(confirmation))
          .sort(),
      );
      expect(emitted[0]).toHaveLength(1000);
      expect(emitted[0]).toEqual(emitted[1]);
    });

    it('emit an answer on every node, in the same order', async () => {
      const [a, b] = await pair({}, { partitions: 1 });
      const ids = await Promise.all(Array.from({ length: 50 }, () => ask(a)));
      await Promise.all(ids.map((id, index) => answer(index % 2 ? a : b, id)));
      await a.recorder.nth('decided', 50);
      await b.recorder.nth('decided', 50);
      const order = ({ recorder }: Node) => recorder.of('decided').map(({ confirmation }) => confirmation.callbackId);
      expect(order(a)).toEqual(order(b));
    });

    it('share keys, tasks and cancellations', async () => {
      const [a, b] = await pair();
      const keyed = { key: 'deploy', fingerprint: 'f' };
      const callbackId = await ask(a, keyed);
      expect(await ask(b, keyed)).toBe(callbackId);
      const others = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(b, { userId: `user-${index}` })));
      await b.engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: false, reason: 'enough' });
      await a.recorder.nth('decided', 9);
      expect((await a.recorder.nth('task')).task).toMatchObject({ taskId: 'task-1', cancelled: true, reason: 'enough' });
      for (const id of [callbackId, ...others]) expect((await a.engine.confirmations.get(id))?.state).toBe('cancelled');
      expect((await a.engine.confirmations.open(question({ userId: 'late' }))).confirmation.state).toBe('cancelled');
    });

    it('let no prompt slip past a cancellation that comes at the same time', async () => {
      const [a, b] = await pair();
      for (let round = 0; round < 40; round += 1) {
        const taskId = `task-${round}`;
        const [opened] = await Promise.all([
          Promise.all(Array.from({ length: 5 }, (_, index) => ask(a, { taskId, userId: `user-${index}` }))),
          b.engine.tasks.cancel({ taskId, scope: 'all', cancelledBy: null, allowUnknown: true }),
        ]);
        for (const id of opened) expect((await a.engine.confirmations.get(id))?.state).toBe('cancelled');
      }
    });

    it('finish a cancellation whose node died after it was decided', async () => {
      const [a, b] = await pair();
      const ids = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(a, { userId: `user-${index}` })));
      // The first of its two steps, and nothing after it.
      await cancelOnly(a, { reason: 'dead', via: 'rest' });
      await b.recorder.nth('decided', ids.length);
      for (const id of ids)
        expect(b.recorder.decisionsOf(id)[0]?.decision).toMatchObject({ outcome: 'cancelled', reason: 'dead', via: 'rest' });
    });

    it('finish a cancellation that failed half way before the task is resumed', async () => {
      const [a, b] = await pair();
      const ids = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(a, { userId: `user-${index}` })));
      await cancelOnly(a, { reason: 'half', via: 'service' });
      expect(await b.engine.tasks.resume('task-1')).toMatchObject({ status: 'resumed', task: { cancelled: false } });
      for (const id of ids)
        expect(await a.engine.confirmations.get(id)).toMatchObject({
          state: 'cancelled',
          decision: { reason: 'half', via: 'service' },
        });
      expect((await a.engine.confirmations.get(await ask(b)))?.state).toBe('pending');
    });

    it('give a new task nothing of a forgotten one of the same name, whatever was cancelled', async () => {
      const [a, b] = await pair({ retentionMs: 200 });
      const ids = await Promise.all(['ann', 'bob', 'cat'].map((userId) => ask(a, { userId })));
      await a.engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: false });
      while ((await a.engine.tasks.get('task-1')) !== undefined) await a.engine.ping();
      expect(await b.engine.tasks.resume('task-1')).toEqual({ status: 'not_found' });
      for (const userId of ['ann', 'bob', 'cat', 'dan'])
        expect((await b.engine.confirmations.open(question({ userId }))).confirmation.state).toBe('pending');
      expect(ids).toHaveLength(3);
    });

    it('are refused in one line when their retention differs from that of a node that runs', async () => {
      const first = await nodes.start({ retentionMs: 60_000 });
      await expect(nodes.start({ retentionMs: 120_000 })).rejects.toMatchObject({
        name: 'ConfigurationError',
        message: expect.stringMatching(/^WEBSOCKET_RETENTION .* 120 s here and 60 s on a running node: .*$/) as string,
      });
      expect(await first.engine.cluster(0)).toMatchObject({ nodes: 1 });
      await first.engine.close();
      await nodes.start({ retentionMs: 120_000 });
    });

    it('keep a prompt that was opened after its task was resumed', async () => {
      const [a, b] = await pair();
      await ask(a);
      await b.engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: false });
      await a.engine.tasks.resume('task-1');
      const id = await ask(b);
      expect((await a.engine.confirmations.get(id))?.state).toBe('pending');
    });

    it('apply the deadline of a prompt whose node has died, once', async () => {
      const dying = await nodes.start({}, { proxied: true });
      const living = await nodes.start();
      const id = await ask(dying, { timeoutMs: 300, onTimeout: 'proceed', onTimeoutBy: 'setting' });
      await nodes.kill(dying);
      expect((await living.recorder.nth('decided')).confirmation).toMatchObject({
        callbackId: id,
        state: 'timed_out',
        decision: { proceed: true },
      });
    });

    it('emit on every node that a user was revoked', async () => {
      const [a, b] = await pair();
      const moment = await a.engine.revocations.revoke('ann');
      await b.recorder.nth('revoked');
      expect(await b.engine.revocations.revokedAt('ann')).toBe(moment);
      expect(await b.engine.revocations.revokedAt('bob')).toBeUndefined();
    });
  });

  describe('watching', () => {
    it('show a prompt only where its user is, and decisions everywhere', async () => {
      const [a, b] = await pair();
      const c = await nodes.start();
      await b.engine.broker.watch('user:ann');
      const id = await ask(a);
      await b.recorder.nth('opened');
      await answer(a, id);
      await c.recorder.nth('decided');
      expect(c.recorder.of('opened')).toEqual([]);
      expect(b.recorder.events.map(({ kind }) => kind)).toEqual(['opened', 'decided']);
    });

    it('hear of every user and task with an anonymous connection, and of no more once it has gone', async () => {
      const [a, b] = await pair();
      await b.engine.broker.watch('*');
      await b.engine.broker.watch('*');
      await b.engine.broker.unwatch('*');
      for (const userId of ['ann', 'bob', 'cat']) await ask(a, { userId });
      await b.recorder.nth('opened', 3);
      await a.engine.broker.publish({ channel: parseChannel('task:task-1'), message: { type: 'x' }, recoverable: false });
      await b.recorder.nth('publication');
      await b.engine.broker.unwatch('*');
      await ask(a);
      await b.engine.broker.watch('news');
      await a.engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: false });
      await b.recorder.nth('publication', 2);
      expect(b.recorder.of('opened')).toHaveLength(3);
    });

    it("carry a task's messages to its user's node, and count who was reached over all nodes", async () => {
      const [a, b] = await pair();
      a.recorder.reached = 0;
      await a.engine.tasks.claim('t', 'ann');
      await b.engine.broker.watch('user:ann');
      await b.engine.broker.watch('task:t');
      let published = 0;
      for (let deliveredTo = 0; deliveredTo === 0; published += 1)
        ({ deliveredTo } = await a.engine.broker.publish({
          channel: parseChannel('user:ann'),
          message: { type: 'x' },
          recoverable: true,
        }));
      await b.recorder.nth('publication', published);
      await b.engine.broker.unwatch('task:t');
      await a.engine.broker.publish({ channel: parseChannel('task:t'), message: { type: 'y' }, recoverable: true });
      const { publication } = await b.recorder.nth('publication', published + 1);
      expect(publication).toMatchObject({ channel: 'task:t', audienceUserId: 'ann', position: { offset: 1 } });
    });

    it('leave nothing in Redis for positions that are only read', async () => {
      const [a] = await pair();
      const keys = async (): Promise<string[]> =>
        (await server.command('KEYS', `run-${runs}:*`))
          .split('\r\n')
          .filter((line) => line.startsWith('run-'))
          .sort();
      await a.engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: true });
      const before = (await keys()).filter((key) => !key.endsWith(':meta'));
      for (let index = 0; index < 50; index += 1) {
        const { epoch, offset } = await a.engine.broker.position(`made-up-${index}`);
        await a.engine.waiting(`nobody-${index}`);
        expect(await a.engine.broker.history({ channel: `made-up-${index}`, since: { epoch, offset }, limit: 1 })).toMatchObject({
          complete: true,
        });
        await a.engine.broker.watch(`made-up-${index}`);
        await a.engine.broker.unwatch(`made-up-${index}`);
      }
      const left = async (): Promise<string[]> => (await keys()).filter((key) => !key.endsWith(':meta') && !before.includes(key));
      while ((await left()).some((key) => key.includes(':watchers:'))) await a.engine.ping();
      expect(await left()).toEqual([]);
    });

    it('carry a broadcast to every node', async () => {
      const [a, b] = await pair();
      await a.engine.broker.publish({ channel: parseChannel('broadcast'), message: { type: 'x' }, recoverable: true });
      await b.recorder.nth('publication');
      expect(a.recorder.of('publication')).toHaveLength(1);
    });

    it('emit publications in one order, on whichever node they were published (E4)', async () => {
      const [a, b] = await pair();
      for (const { engine } of [a, b]) {
        await engine.broker.watch('news');
        await engine.broker.position('news');
      }
      await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          (index % 2 ? a : b).engine.broker.publish({
            channel: NEWS,
            message: { type: 'x', index },
            recoverable: index % 5 !== 0,
          }),
        ),
      );
      await a.recorder.nth('publication', 200);
      await b.recorder.nth('publication', 200);
      const order = ({ recorder }: Node) => recorder.of('publication').map(({ publication }) => publication.message['index']);
      expect(order(a)).toEqual(order(b));
      const offsets = a.recorder.of('publication').flatMap(({ publication }) => publication.position?.offset ?? []);
      expect(offsets).toEqual(Array.from({ length: 160 }, (_, index) => index + 1));
    });

    it("carry an acknowledged message to the user's node, and its acknowledgement back", async () => {
      const [a, b] = await pair();
      await b.engine.broker.watch('user:ann');
      const messageId = randomUUID();
      await a.engine.broker.sendAcknowledged({ messageId, userId: 'ann', message: { type: 'mail' }, ttlMs: 60_000 });
      expect((await b.recorder.nth('message')).message).toEqual({
        messageId,
        userId: 'ann',
        message: { type: 'mail' },
        expiresAt: expect.any(Number),
      });
      expect(await b.engine.broker.ack(messageId, ['ann'])).toBe('acknowledged');
      await a.recorder.nth('acknowledged');
      expect(await a.engine.broker.ack(messageId, 'all')).toBe('repeated');
    });
  });

  describe('presence', () => {
    it('count connections over all nodes, and send the oldest away wherever it is', async () => {
      const [a, b] = await pair({ maxConnectionsPerUser: 2 });
      await a.engine.presence.connect('a1', 'ann');
      await b.engine.presence.connect('b1', 'ann');
      expect(await a.engine.presence.count('ann')).toBe(2);
      await b.engine.presence.connect('b2', 'ann');
      expect((await a.recorder.nth('evicted')).connectionId).toBe('a1');
      await a.engine.presence.connect('a2', 'ann');
      expect((await b.recorder.nth('evicted')).connectionId).toBe('b1');
      expect(await b.engine.presence.count('ann')).toBe(2);
      await a.engine.cluster(3);
      expect(await b.engine.cluster(4)).toEqual({ engine: 'redis', nodes: 2, activeConnections: 7 });
    });

    it("keep the order of a user's connections when the older one's node missed that it was to close it", async () => {
      const older = await nodes.start({ maxConnectionsPerUser: 1 }, { proxied: true });
      const newer = await nodes.start({ maxConnectionsPerUser: 1 });
      for (let round = 0; round < 3; round += 1) {
        await older.engine.presence.connect(`old-${round}`, 'ann');
        for (const connection of older.proxy!.connections) connection.blackHole(['down']);
        await newer.engine.presence.connect(`new-${round}`, 'ann');
        for (const connection of older.proxy!.connections) connection.cut();
        expect((await older.recorder.nth('evicted', round + 1)).connectionId).toBe(`old-${round}`);
        expect(await newer.engine.presence.count('ann')).toBe(1);
        await newer.engine.presence.disconnect(`new-${round}`, 'ann');
      }
      expect(newer.recorder.of('evicted')).toEqual([]);
    });

    it('forget the connections of a node that was killed when its lease ends, and of one that left at once', async () => {
      const [living, leaving] = await pair();
      const dying = await nodes.start({}, { proxied: true });
      await dying.engine.presence.connect('d', 'ann');
      await living.engine.presence.connect('l', 'ann');
      await leaving.engine.presence.connect('x', 'ann');
      expect(await living.engine.presence.count('ann')).toBe(3);
      await leaving.engine.close();
      expect(await living.engine.cluster(1)).toMatchObject({ nodes: 2 });
      expect(await living.engine.presence.count('ann')).toBe(2);
      await nodes.kill(dying);
      const killedAt = Date.now();
      while ((await living.engine.presence.count('ann')) > 1) await living.engine.ping();
      expect(Date.now() - killedAt).toBeLessThan(7000);
      expect(await living.engine.cluster(1)).toMatchObject({ nodes: 1, activeConnections: 1 });
    });
  });

  describe('notices (E7)', () => {
    const wanted = { webhookEvents: AFTER_DECISIONS, historyTtlMs: 100 };
    const claim = async ({ engine }: Node, leaseMs: number) => {
      for (;;) {
        const [notice] = await engine.events.claim(1, leaseMs);
        if (notice) return notice;
        await engine.ping();
      }
    };

    it('are each leased to one node; for each partition one of the nodes is woken', async () => {
      const all = [...(await pair(wanted)), await nodes.start(wanted)];
      for (const { engine } of all) await engine.cluster(0);
      const turns = [0, 1, 2, 3].map((partition) => all.filter((node) => partsOf(node).nodes.isTurn(partition)).length);
      expect(turns).toEqual([1, 1, 1, 1]);
      const ids = await Promise.all(
        Array.from({ length: 60 }, (_, index) => ask(all[index % 3]!, { userId: `user-${index}`, taskId: `task-${index}` })),
      );
      await Promise.all(ids.map((id, index) => answer(all[index % 3]!, id)));
      const claimed: string[] = [];
      while (claimed.length < 60)
        for (const batch of await Promise.all(all.map(({ engine }) => engine.events.claim(5, 60_000))))
          claimed.push(...batch.map(({ id }) => id));
      expect(new Set(claimed).size).toBe(60);
      for (const { engine } of all) expect((await engine.events.counts()).waiting).toBe(60);
    });

    it('come to another node when the lease of a killed one ends', async () => {
      const dying = await nodes.start(wanted, { proxied: true });
      await answer(dying, await ask(dying));
      const held = await claim(dying, 300);
      await nodes.kill(dying);
      const other = await nodes.start(wanted);
      expect(await claim(other, 60_000)).toEqual({ ...held, attempt: 2 });
      expect(await other.engine.events.complete(held)).toBe(true);
    });

    it('are kept by nodes that did not ask for them as long as another does', async () => {
      const [careless, careful] = [await nodes.start({ historyTtlMs: 100 }), await nodes.start(wanted)];
      await answer(careless, await ask(careless));
      expect(await claim(careful, 60_000)).toMatchObject({ attempt: 1 });
      expect(careless.recorder.of('webhook events')).toEqual([]);
    });
  });

  it('store the webhook events that any of them asks for; one that starts with fewer ends the others when it is alone', async () => {
    const often = { historyTtlMs: 100 };
    const [wide, narrow] = [
      await nodes.start({ ...often, webhookEvents: ['confirmation.opened', 'confirmation.answered'] }),
      await nodes.start({ ...often, webhookEvents: ['confirmation.answered'] }),
    ];
    await wide.engine.cluster(0);
    const events = async ({ engine }: Node, count: number) => {
      const found: string[] = [];
      for (; found.length < count; await engine.ping())
        found.push(...(await engine.events.claim(10, 60_000)).map(({ event }) => event));
      return found.sort();
    };
    // The wider node asks for its events again with its next tick.
    while ((await narrow.engine.events.counts()).waiting === 0) await ask(narrow, { callbackId: randomUUID() });
    expect(await events(narrow, 1)).toEqual(['confirmation.opened']);
    await wide.engine.close();
    await narrow.engine.close();
    const alone = await nodes.start({ ...often, webhookEvents: ['confirmation.answered'] });
    await answer(alone, await ask(alone, { callbackId: randomUUID() }));
    expect(await events(alone, 1)).toEqual(['confirmation.answered']);
  });

  it('refuse to start on data that is divided otherwise', async () => {
    await nodes.start();
    await expect(nodes.start({}, { partitions: 5 })).rejects.toThrow('4 partitions, not 5');
  });
});
