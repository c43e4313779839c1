/** Both engines, for tests that are to hold on either: the environment of each, with a real Redis where one is needed. */
import { RedisServer } from './redis.js';
import { requireBinary } from './system.js';

export interface EngineChoice {
  environment(): Record<string, string>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a suite once for each engine. */
export function describeEngines(title: string, suite: (engine: EngineChoice) => void): void {
  describe(`${title} (embedded engine)`, () => {
    suite({ environment: () => ({}), start: () => Promise.resolve(), stop: () => Promise.resolve() });
  });
  requireBinary('redis-server')(`${title} (Redis engine)`, () => {
    let redis: RedisServer | undefined;
    suite({
      environment: () => ({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis?.url ?? '' }),
      start: async () => {
        redis = await RedisServer.start();
      },
      stop: async () => redis?.stop(),
    });
  });
}
