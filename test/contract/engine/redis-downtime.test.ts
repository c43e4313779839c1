/** Deadlines that passed while Redis or every node was away, however shortly: only the caller's own default may proceed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenRequest } from '../../../src/notification/engine/engine.js';
import { RedisNodes, type Node, untilAvailable } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { question } from './engine-under-test.js';

requireBinary('redis-server')('the redis engine after a short downtime', () => {
  let server: RedisServer;
  let nodes: RedisNodes;

  beforeEach(async () => {
    server = await RedisServer.start({ settings: { appendfsync: 'always' } });
    nodes = new RedisNodes(server.url);
  });
  afterEach(async () => {
    await nodes.close();
    await server.stop();
  });

  const ask = async ({ engine }: Node, overrides: Partial<OpenRequest>) =>
    (await engine.confirmations.open(question({ timeoutMs: 400, onTimeout: 'proceed', ...overrides }))).confirmation;

  it('counts a crash of Redis as downtime, also for a call that comes before the first sweep', async () => {
    const node = await nodes.start();
    // In partitions of their own, and asked for in three ways.
    const [read, answered, listed, own] = await Promise.all([
      ask(node, { userId: 'a', onTimeoutBy: 'setting' }),
      ask(node, { userId: 'b', onTimeoutBy: 'setting' }),
      ask(node, { userId: 'c', onTimeoutBy: 'setting' }),
      ask(node, { userId: 'd', onTimeoutBy: 'caller' }),
    ]);
    await server.kill9();
    await delay(own.expiresAt! - Date.now());
    await server.restart();
    const first = await untilAvailable(() => node.engine.confirmations.get(read.callbackId));
    expect(first).toMatchObject({ state: 'timed_out', decision: { proceed: false } });
    const late = await untilAvailable(() =>
      node.engine.confirmations.decide({
        callbackId: answered.callbackId,
        scope: 'all',
        answeredBy: 'b',
        answer: { proceed: true },
      }),
    );
    expect(late).toMatchObject({ status: 'already_resolved', confirmation: { decision: { proceed: false } } });
    const { items } = await untilAvailable(() => node.engine.confirmations.list({ scope: ['c'], limit: 10 }));
    expect(items).toMatchObject([{ callbackId: listed.callbackId, decision: { outcome: 'timed_out', proceed: false } }]);
    expect(await untilAvailable(() => node.engine.confirmations.get(own.callbackId))).toMatchObject({
      decision: { proceed: true },
    });
  });

  it('takes a crash of the only node for one, even where its lease still runs', async () => {
    const dying = await nodes.start({}, { proxied: true });
    const [missed, own] = [
      await ask(dying, { onTimeoutBy: 'setting', timeoutMs: 200 }),
      await ask(dying, { onTimeoutBy: 'caller', timeoutMs: 200 }),
    ];
    await nodes.kill(dying);
    await delay(own.expiresAt! - Date.now() + 20);
    const next = await nodes.start();
    expect(await next.engine.confirmations.get(missed.callbackId)).toMatchObject({
      state: 'timed_out',
      decision: { proceed: false },
    });
    expect(await next.engine.confirmations.get(own.callbackId)).toMatchObject({ decision: { proceed: true } });
  });

  it('takes the start of one more node for none', async () => {
    const node = await nodes.start();
    const prompts = await Promise.all(
      Array.from({ length: 8 }, (_, index) => ask(node, { userId: `user-${index}`, onTimeoutBy: 'setting', timeoutMs: 300 })),
    );
    await nodes.start();
    await node.recorder.nth('decided', prompts.length);
    expect(node.recorder.of('decided').map(({ confirmation }) => confirmation.decision?.proceed)).toEqual(
      prompts.map(() => true),
    );
  });
});
