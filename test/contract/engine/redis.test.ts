import { RedisNodes } from '../../support/redis-nodes.js';
import { RedisServer } from '../../support/redis.js';
import { requireBinary } from '../../support/system.js';
import { describeEngine } from './engine-suite.js';

requireBinary('redis-server')('on one Redis', () => {
  let server: RedisServer;
  let runs = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  describeEngine('redis', async () => {
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
  });
});
