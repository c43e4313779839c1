/** Connects, subscribes and disconnects, many of them aborted half-way: everything returns to where it was. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Hub } from '../../src/notification/connection/hub.js';
import { SubscriptionIndex } from '../../src/notification/subscription/subscription-index.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { RawClient } from '../support/raw-client.js';
import { startService, type TestService } from '../support/service.js';

const TOTAL = Number(process.env['CHURN_CONNECTIONS'] ?? 200_000);
const AT_ONCE = 100;

let service: TestService;
beforeAll(async () => {
  service = await startService({ environment: { WEBSOCKET_DATA_DIR: ':memory:', WEBSOCKET_MAX_CONNECTIONS: '5000' } });
});
afterAll(() => service.stop());

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Ports of one address are soon used up by connections that linger. */
const addressOf = (index: number): string => `127.0.${1 + (Math.floor(index / 250) % 8)}.${1 + (index % 250)}`;

async function once(index: number): Promise<void> {
  const localAddress = addressOf(index);
  if (index % 10 === 0) {
    // Away in the middle of the handshake.
    const socket = connect({ port: service.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso');
    socket.resetAndDestroy();
    return;
  }
  const client = await RawClient.connect({ port: service.port, localAddress });
  client.send({ action: 'subscribe', user_id: `user-${index % 1000}` });
  client.send({ action: 'subscribe', channel: `channel-${index}` });
  client.send({ action: 'subscribe', task_id: `task-${index}`, request_id: 'last' });
  // Some are away before they have an answer, some in the middle of a frame.
  if (index % 3 === 0) await client.next(({ request_id }) => request_id === 'last');
  if (index % 7 === 0) client.write(Buffer.from([0x81, 0xfe, 0x10]));
  await client.reset();
}

async function churn(from: number, count: number): Promise<void> {
  let index = from;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (index < from + count) await once(index++);
    }),
  );
}

/** What is there when everybody has gone: awaited, since the server hears of it a little later. */
async function measure(): Promise<Record<string, number>> {
  while (service.notifications.getConnectionCount() > 0) await delay(20);
  const hub = service.app.get(Hub);
  for (let round = 0; round < 3; round += 1) {
    await delay(200);
    collect();
  }
  const server = service.app.getHttpServer() as NodeJS.EventEmitter;
  return {
    heapMB: Math.round(process.memoryUsage().heapUsed / 1024 / 1024),
    all: hub.size,
    identified: hub.identified.size,
    anonymous: hub.anonymousConnections.size,
    users: (hub as unknown as { users: Map<string, unknown> }).users.size,
    channels: service.app.get(SubscriptionIndex).channels.length,
    wheel: service.app.get<{ size: number }>(TimerWheel).size,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    listeners: server.eventNames().reduce((sum, name) => sum + server.listenerCount(name), 0),
    processListeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
  };
}

it('leaves no memory, timer, listener or entry behind', async () => {
  await churn(0, Math.min(2000, TOTAL / 10));
  const before = await measure();
  await churn(2000, TOTAL);
  const after = await measure();
  console.log(JSON.stringify({ TOTAL, before, after }));
  const { heapMB: heapBefore, timers: timersBefore, ...restBefore } = before;
  const { heapMB: heapAfter, timers: timersAfter, ...restAfter } = after;
  expect(restAfter).toEqual(restBefore);
  expect(timersAfter).toBeLessThanOrEqual(timersBefore! + 2);
  expect(heapAfter! - heapBefore!).toBeLessThanOrEqual(10);
}, 1_800_000);
