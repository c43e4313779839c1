import { RedisNodes } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { describeEngine } from './engine-suite.js';
import type { EngineFixture } from './engine-under-test.js';

requireBinary('redis-server')('on one Redis', () => {
  let server: RedisServer;
  let runs = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  const fixture = async (): Promise<EngineFixture> => {
    const nodes = new RedisNodes(server.url, { keyPrefix: `run-${(runs += 1)}` });
    let node: Awaited<ReturnType<RedisNodes['startWith']>>;
    return {
      start: async (handler, settings) => {
        node = await nodes.startWith(handler, settings, { proxied: true });
        return node.engine;
      },
      crash: () => nodes.kill(node),
      close: () => nodes.close(),
    };
  };
  describeEngine('redis', fixture);
});
