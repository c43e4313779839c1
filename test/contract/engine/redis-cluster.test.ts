/** The engine's guarantees on a Redis Cluster of three masters. */
import { parseChannel } from '../../../src/protocol/channels.js';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisEngine } from '../../../src/notification/engine/redis/redis-engine.js';
import { RedisNodes } from '../../support/redis-nodes.js';
import { RedisCluster, RedisServer } from '../../support/redis.js';
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
        await a.engine.broker.publish({ channel: parseChannel(`user:${userId}`), message: { type: 'x' }, recoverable: true });
      for (const userId of users)
        await a.engine.broker.publish({
          channel: parseChannel(`task:task of ${userId}`),
          message: { type: 'y' },
          recoverable: false,
        });
      await b.recorder.nth('publication', users.length * 2);
      expect(b.recorder.of('publication').filter(({ publication }) => publication.audienceUserId !== undefined)).toHaveLength(12);
    } finally {
      await nodes.close();
    }
  });

  it('publishes through one address that serves a cluster, which takes no script over several slots', async () => {
    const server = await RedisServer.start({ settings: { 'cluster-enabled': 'yes' } });
    await server.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    while ((await server.command('CLUSTER', 'INFO')).includes('cluster_state:fail')) await delay(10);
    const nodes = new RedisNodes(server.url, { partitions: 6 });
    try {
      const [a, b] = [await nodes.start(), await nodes.start()];
      const channels = Array.from({ length: 12 }, (_, index) => `news-${index}`);
      for (const channel of channels) await b.engine.broker.watch(channel);
      const publish = (channel: string) =>
        a.engine.broker.publish({ channel: parseChannel(channel), message: { type: 'x' }, recoverable: true });
      const published = await Promise.all([...channels, ...channels].map(publish));
      expect(published.map(({ position }) => position?.offset)).toEqual([...Array(12).fill(1), ...Array(12).fill(2)]);
      await b.recorder.nth('publication', 24);
    } finally {
      await nodes.close();
      await server.stop();
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
