/** The engine's guarantees on a Redis Cluster of three masters. */
import type { RedisEngine } from '../../../src/notification/engine/redis/redis-engine.js';
import { RedisNodes } from '../../support/redis-nodes.js';
import { RedisCluster } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { describeEngine } from './engine-suite.js';
import { question, type EngineFixture } from './engine-under-test.js';

requireBinary('redis-server')('on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let runs = 0;
  const newNodes = (): RedisNodes => new RedisNodes(cluster.url, { keyPrefix: `run-${(runs += 1)}`, partitions: 6 });

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.stop());

  const fixture = async (): Promise<EngineFixture> => {
    const nodes = newNodes();
    let engine: RedisEngine;
    return {
      start: async (handler, settings) => {
        ({ engine } = await nodes.startWith(handler, settings));
        return engine;
      },
      crash: () => nodes.cutOff(engine),
      close: () => nodes.close(),
    };
  };
  describeEngine('redis', fixture);

  it('carries prompts, decisions and messages between nodes, whichever master they are on', async () => {
    const nodes = newNodes();
    try {
      const [a, b] = [await nodes.start(), await nodes.start()];
      const users = Array.from({ length: 12 }, (_, index) => `user-${index}`);
      for (const userId of users) await b.engine.broker.watch(`user:${userId}`);
      const ids = await Promise.all(
        users.map(
          async (userId) =>
            (await a.engine.confirmations.open(question({ userId, taskId: `task of ${userId}` }))).confirmation.callbackId,
        ),
      );
      await b.recorder.nth('opened', users.length);
      await Promise.all(
        ids.map((callbackId, index) =>
          b.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: users[index]!, answer: { proceed: true } }),
        ),
      );
      await a.recorder.nth('decided', users.length);
      for (const userId of users)
        await a.engine.broker.publish({ channel: `user:${userId}`, message: { type: 'x' }, recoverable: true });
      for (const userId of users)
        await a.engine.broker.publish({ channel: `task:task of ${userId}`, message: { type: 'y' }, recoverable: false });
      await b.recorder.nth('publication', users.length * 2);
      expect(b.recorder.of('publication').filter(({ publication }) => publication.audienceUserId !== undefined)).toHaveLength(12);
    } finally {
      await nodes.close();
    }
  });

  it('finds its way back when a master was killed and started again', async () => {
    const nodes = newNodes();
    try {
      const [a, b] = [await nodes.start(), await nodes.start()];
      const users = Array.from({ length: 12 }, (_, index) => `user-${index}`);
      await cluster.servers[1]!.kill9();
      await cluster.servers[1]!.restart();
      const open = async (userId: string): Promise<string> => {
        for (const request = question({ userId, taskId: userId }); ;) {
          try {
            return (await a.engine.confirmations.open(request)).confirmation.callbackId;
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        }
      };
      const ids = await Promise.all(users.map(open));
      for (const callbackId of ids)
        await b.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy: null, answer: { proceed: true } });
      await a.recorder.nth('decided', users.length);
    } finally {
      await nodes.close();
    }
  });
});
