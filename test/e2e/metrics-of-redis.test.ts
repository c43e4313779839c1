/** The metrics of the engine while Redis goes away and comes back. */
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '../support/redis.js';
import { startService } from '../support/service.js';
import { requireBinary } from '../support/system.js';

const NAMES =
  /^(engine_(?:up|nodes|gaps_total|errors_total\{reason="unavailable"\})|confirmations_pending\{age="under_1m"\}) (\S+)$/gm;

requireBinary('redis-server')('the metrics of a service whose Redis goes away', () => {
  it('say that the engine is away, which calls failed, and that events may have been missed', async () => {
    const redis = await RedisServer.start();
    const service = await startService({ environment: { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url } });
    const read = async (): Promise<Record<string, number>> => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      return Object.fromEntries([...text.matchAll(NAMES)].map(([, name = '', value]) => [name, Number(value)]));
    };
    const unavailable = 'engine_errors_total{reason="unavailable"}';
    const inOrder = await read();
    expect(inOrder).toMatchObject({
      engine_up: 1,
      engine_nodes: 1,
      [unavailable]: 0,
      'confirmations_pending{age="under_1m"}': 0,
    });
    await redis.kill9();
    let away = await read();
    while (away['engine_up'] === 1) away = await read();
    expect((await service.rest('GET', '/ws/users/ann')).status).toBe(503);
    expect((await read())[unavailable]).toBeGreaterThan(0);
    expect(away).not.toHaveProperty('confirmations_pending');
    await redis.restart();
    let back = await read();
    while (back['engine_up'] !== 1 || back['engine_gaps_total'] === inOrder['engine_gaps_total']) {
      await delay(50);
      back = await read();
    }
    expect(back['engine_nodes']).toBe(1);
    await service.stop();
    await redis.stop();
  });
});
