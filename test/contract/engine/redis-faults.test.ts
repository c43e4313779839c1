/** The Redis engine while Redis, or the way to it, is broken: nothing acknowledged is lost, and it heals by itself. */
import { NEWS } from '../../support/news.js';
import { randomUUID } from 'node:crypto';
import { ConfigurationError, EngineUnavailableError } from '../../../src/notification/notification.errors.js';
import { everyScript } from '../../support/redis-scripts.js';
import { RedisNodes, type Node, untilAvailable } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { SCRIPT_CASES } from '../../support/redis-script-cases.js';
import { requireBinary } from '../../support/system.js';
import { AFTER_DECISIONS } from '../../support/webhook-events.js';
import { question } from './engine-under-test.js';

requireBinary('redis-server')('the redis engine under faults', () => {
  let server: RedisServer;
  let nodes: RedisNodes;

  // With everysec Redis answers without having written while an earlier fsync takes its time.
  const use = async (
    options: Parameters<typeof RedisServer.start>[0] = { settings: { appendfsync: 'always' } },
  ): Promise<void> => {
    server = await RedisServer.start(options);
    nodes = new RedisNodes(server.url);
  };
  afterEach(async () => {
    await nodes.close();
    await server.stop();
  });

  const ask = async ({ engine }: Node, overrides = {}): Promise<string> =>
    (await engine.confirmations.open(question(overrides))).confirmation.callbackId;
  const answer = ({ engine }: Node, callbackId: string, proceed = true) =>
    engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: 'ann', answer: { proceed } });
  const pings = ({ engine }: Node): Promise<boolean> =>
    engine.ping().then(
      () => true,
      () => false,
    );
  const untilPing = async (node: Node): Promise<void> => {
    // A refusal takes no time at all: the reconnection has to get its turn.
    while (!(await pings(node))) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('loses nothing that it acknowledged when Redis is killed and started again under load, notices included (E1, E7)', async () => {
    await use();
    const [a, b] = [await nodes.start({ webhookEvents: AFTER_DECISIONS }), await nodes.start()];
    const acknowledged: { id: string; proceed: boolean }[] = [];
    let working = true;
    const load = async (node: Node, name: string): Promise<void> => {
      for (let index = 0; working; index += 1) {
        const request = question({ userId: `${name}-${index % 7}`, callbackId: randomUUID() });
        const proceed = index % 2 === 0;
        // Repeated with the same id until it is answered, as a client would.
        const { confirmation } = await untilAvailable(() => node.engine.confirmations.open(request));
        const decided = await untilAvailable(() => answer(node, confirmation.callbackId, proceed));
        expect(['accepted', 'repeated']).toContain(decided.status);
        acknowledged.push({ id: confirmation.callbackId, proceed });
      }
    };
    const loads = Promise.all([a, a, b, b].map((node, index) => load(node, `w${index}`)));
    for (let round = 0; round < 3; round += 1) {
      const before = acknowledged.length;
      while (acknowledged.length < before + 30) await a.recorder.nth('decided', a.recorder.of('decided').length + 1);
      await server.kill9();
      await server.restart();
    }
    working = false;
    await loads;
    for (const { id, proceed } of acknowledged)
      expect(await b.engine.confirmations.get(id)).toMatchObject({ state: 'answered', decision: { proceed } });
    const missing = ({ recorder }: Node) => acknowledged.filter(({ id }) => recorder.decisionsOf(id).length === 0);
    while (missing(a).length + missing(b).length > 0) await a.engine.ping();
    expect(acknowledged.filter(({ id }) => a.recorder.decisionsOf(id).length > 1)).toEqual([]);
    const noticed = new Set<string>();
    while (noticed.size < (await a.engine.events.counts()).waiting)
      for (const { subject } of await a.engine.events.claim(100, 60_000))
        if (subject.kind === 'confirmation') noticed.add(subject.confirmation.callbackId);
    expect(acknowledged.filter(({ id }) => !noticed.has(id))).toEqual([]);
  });

  it('refuses calls within 2 s while Redis stands still, then heals, says so, and decides nothing by itself (E6)', async () => {
    await use();
    const node = await nodes.start();
    const [waiting, answered] = [await ask(node), await ask(node)];
    const overdue = await ask(node, { timeoutMs: 500, onTimeout: 'proceed', onTimeoutBy: 'setting' });
    server.pause();
    const pausedAt = Date.now();
    const calls = await Promise.allSettled([
      ask(node),
      answer(node, answered),
      node.engine.ping(),
      node.engine.presence.count('ann'),
    ]);
    expect(calls.map((call) => call.status === 'rejected' && (call.reason as unknown))).toEqual(
      calls.map(() => expect.any(EngineUnavailableError) as unknown),
    );
    expect(Date.now() - pausedAt).toBeLessThan(2500);
    while (Date.now() < pausedAt + 3000) await new Promise((resolve) => setTimeout(resolve, 50));
    server.resume();
    await node.recorder.nth('gap');
    // The answer's reply was lost, not the answer: repeating it is safe (E3).
    expect((await answer(node, answered)).status).toBe('repeated');
    expect((await node.engine.confirmations.get(waiting))?.state).toBe('pending');
    expect((await node.engine.confirmations.get(overdue))?.decision).toMatchObject({ outcome: 'timed_out', proceed: false });
    expect(node.recorder.decisionsOf(answered)).toHaveLength(1);
  });

  it('refuses at once while nobody listens, and comes back', async () => {
    await use();
    const node = await nodes.start();
    await node.engine.broker.watch('user:ann');
    await node.engine.presence.connect('c', 'ann');
    const id = await ask(node);
    await server.kill9();
    while (await pings(node)) continue;
    const since = Date.now();
    await expect(ask(node)).rejects.toThrow(EngineUnavailableError);
    await expect(node.engine.broker.watch('user:bob')).rejects.toThrow(EngineUnavailableError);
    expect(Date.now() - since).toBeLessThan(4500);
    await server.restart();
    await node.recorder.nth('gap');
    const other = await nodes.start();
    expect(await other.engine.presence.count('ann')).toBe(1);
    expect((await answer(other, id)).status).toBe('accepted');
    await node.recorder.nth('decided');
    await other.engine.confirmations.open(question({ userId: 'bob' }));
    expect((await node.recorder.nth('opened', 2)).confirmation.userId).toBe('bob');
  });

  it('is tried with the loss of each script’s reply (test/fault/redis-replies)', async () => {
    await use();
    expect([...(await everyScript()).keys()].sort()).toEqual(Object.keys(SCRIPT_CASES).sort());
  });

  it('takes the same call again when its reply was lost after it was carried out (E3)', async () => {
    await use();
    const node = await nodes.start({}, { proxied: true });
    const other = await nodes.start();
    const lost = async (work: () => Promise<unknown>): Promise<void> => {
      await untilPing(node);
      const failing = work();
      failing.catch(() => undefined);
      const connections = [...node.proxy!.connections];
      await Promise.any(connections.map((connection) => connection.dropReplyAfterForwarding()));
      for (const connection of connections) connection.cut();
      await failing.catch((error: unknown) => expect(error).toBeInstanceOf(EngineUnavailableError));
    };
    const again = async <T>(work: () => Promise<T>): Promise<T> => {
      await lost(work);
      await untilPing(node);
      return work();
    };
    const request = question();
    const { confirmation } = await again(() => node.engine.confirmations.open(request));
    const { callbackId } = confirmation;
    expect((await other.engine.waiting('ann')).pendingIds).toEqual([callbackId]);
    expect((await again(() => answer(node, callbackId))).status).toMatch(/accepted|repeated/);
    await other.recorder.nth('decided');
    expect(other.recorder.decisionsOf(callbackId)).toHaveLength(1);
    const message = { messageId: 'm', userId: 'ann', message: { type: 'mail' }, ttlMs: 60_000 };
    await again(() => node.engine.broker.sendAcknowledged(message));
    expect((await other.engine.broker.unacknowledged('ann', 10)).items).toMatchObject([
      { messageId: 'm', userId: 'ann', message: { type: 'mail' } },
    ]);
    expect(await again(() => node.engine.broker.ack('m', 'all'))).toMatch(/acknowledged|repeated/);
    const pending = await ask(other);
    const cancelled = await again(() =>
      node.engine.tasks.cancel({ taskId: 'task-1', scope: 'all', cancelledBy: null, allowUnknown: false }),
    );
    expect(cancelled).toMatchObject({ task: { cancelled: true } });
    expect((await other.engine.confirmations.get(pending))?.state).toBe('cancelled');
    await other.recorder.nth('task');
    await other.recorder.nth('decided', 2);
    expect(other.recorder.of('task')).toHaveLength(1);
  });

  it('finds by reading what was published while its pub/sub connection was away', async () => {
    await use();
    const node = await nodes.start({}, { proxied: true });
    const other = await nodes.start();
    for (const channel of ['user:ann', 'news']) {
      await node.engine.broker.watch(channel);
      await node.engine.broker.position(channel);
    }
    const early = await ask(other);
    await node.recorder.nth('opened');
    await node.proxy!.refuse();
    node.proxy!.cut();
    const late = await ask(other);
    await answer(other, early);
    await other.engine.broker.sendAcknowledged({
      messageId: 'm',
      userId: 'ann',
      message: { type: 'mail' },
      ttlMs: 60_000,
    });
    for (const index of [1, 2, 3])
      await other.engine.broker.publish({ channel: NEWS, message: { type: 'x', index }, recoverable: true });
    await node.proxy!.resume();
    await node.recorder.nth('gap');
    expect(node.recorder.decisionsOf(early)).toHaveLength(1);
    expect(node.recorder.of('opened').map(({ confirmation }) => confirmation.callbackId)).toEqual([early, late]);
    expect(node.recorder.of('message').map(({ message }) => message.messageId)).toEqual(['m']);
    expect(node.recorder.of('publication').map(({ publication }) => publication.message['index'])).toEqual([1, 2, 3]);
  });

  it('goes on when its pub/sub connections are killed again and again', async () => {
    await use();
    const [a, b] = [await nodes.start(), await nodes.start()];
    await b.engine.broker.watch('user:ann');
    const ids: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      for (let index = 0; index < 10; index += 1) {
        ids.push(await ask(a));
        await answer(index % 2 ? a : b, ids.at(-1)!);
      }
    }
    for (const { recorder } of [a, b]) {
      await recorder.nth('decided', ids.length);
      expect(new Set(recorder.of('decided').map(({ confirmation }) => confirmation.callbackId))).toEqual(new Set(ids));
    }
    await b.recorder.nth('gap');
  });

  it('counts no connection that went, or never came to be, while Redis was away', async () => {
    await use();
    const node = await nodes.start();
    await node.engine.presence.connect('stays', 'bob');
    for (const connection of ['stays', 'goes']) await node.engine.presence.connect(connection, 'ann');
    // It has become somebody else's, and counts as that over the outage.
    await node.engine.presence.disconnect('stays', 'bob');
    await server.kill9();
    await expect(node.engine.presence.disconnect('goes', 'ann')).rejects.toThrow(EngineUnavailableError);
    await expect(node.engine.presence.connect('never', 'ann')).rejects.toThrow(EngineUnavailableError);
    await server.restart();
    await untilPing(node);
    while ((await untilAvailable(() => node.engine.presence.count('ann'))) !== 1) continue;
    // Healed: what a node says again is what it has.
    await node.recorder.nth('gap');
    expect(await node.engine.presence.count('ann')).toBe(1);
  });

  it('never applies a default of proceed from a setting for a deadline that passed while Redis was away (E2)', async () => {
    await use();
    const node = await nodes.start();
    const overrides = { timeoutMs: 500, onTimeout: 'proceed', onTimeoutBy: 'setting' };
    const [bySetting, byCaller] = [await ask(node, overrides), await ask(node, { ...overrides, onTimeoutBy: 'caller' })];
    await server.kill9();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await server.restart();
    // Before the first sweep of any node.
    await untilPing(node);
    await Promise.all([answer(node, bySetting), node.engine.confirmations.get(byCaller)]);
    await node.recorder.nth('decided', 2);
    const decisionOf = (id: string) => node.recorder.decisionsOf(id)[0]?.decision;
    expect(decisionOf(bySetting)).toMatchObject({ outcome: 'timed_out', proceed: false });
    expect(decisionOf(byCaller)).toMatchObject({ outcome: 'timed_out', proceed: true });
  });

  it('never takes a position from before a restart of Redis for a good one', async () => {
    await use();
    const node = await nodes.start();
    const publish = () => node.engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: true });
    const { position } = await publish();
    await server.kill9();
    await server.restart();
    await untilPing(node);
    await node.recorder.nth('gap');
    const history = await node.engine.broker.history({ channel: 'news', since: position!, limit: 10 });
    expect(history.complete).toBe(false);
    expect((await publish()).position?.epoch).not.toBe(position!.epoch);
  });

  it('refuses a Redis that forgets, with the reason, unless that is accepted', async () => {
    await use({ appendonly: false, settings: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' } });
    const starting = nodes.start();
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/appendonly yes.*noeviction instead of allkeys-lru/);
    await nodes.start({}, { acceptLoss: true });
    expect(nodes.log.join()).toContain('accepted by a setting');
  });

  it('refuses to start where no Redis is', async () => {
    await use();
    await server.kill9();
    await expect(nodes.start({}, { commandTimeoutMs: 300 })).rejects.toThrow(ConfigurationError);
  });

  it('takes answers and cancels when Redis has no memory left, and refuses what is new', async () => {
    await use({ settings: { maxmemory: '0' } });
    const node = await nodes.start();
    const [first, second] = [await ask(node), await ask(node, { taskId: 'other' })];
    await server.command('CONFIG', 'SET', 'maxmemory', '1mb');
    await expect(ask(node)).rejects.toThrow('full');
    await expect(node.engine.broker.publish({ channel: NEWS, message: { type: 'x' }, recoverable: true })).rejects.toThrow(
      'full',
    );
    expect((await answer(node, first)).status).toBe('accepted');
    await node.engine.tasks.cancel({ taskId: 'other', scope: 'all', cancelledBy: null, allowUnknown: false });
    expect((await node.engine.confirmations.get(second))?.state).toBe('cancelled');
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await ask(node);
  });
});
