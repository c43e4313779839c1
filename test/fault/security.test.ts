/** Attacks that take long or many sockets: silent ones, trickling ones, and a stopwatch on NOT_FOUND. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { TestClient } from '../support/client.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startProcess, type ServiceProcess } from '../support/process.js';

const SILENT = Number(process.env['SILENT'] ?? 5000);
const TRICKLING = Number(process.env['TRICKLING'] ?? 2000);
const KEY = 'an-api-key-of-a-service';

let service: ServiceProcess;
beforeAll(async () => {
  service = await startProcess({
    ...JWT_SETTINGS,
    WEBSOCKET_API_KEYS: KEY,
    WEBSOCKET_MAX_CONNECTIONS: '20000',
  });
}, 60_000);
afterAll(() => service.stop());

const connectAs = async (user: string): Promise<TestClient> =>
  TestClient.connect(`${service.wsUrl}/ws`, { headers: { authorization: `Bearer ${await tokenOf(user, { lives: 600 })}` } });

/** Sockets from several loopback addresses, so that no port range is used up. */
function openSockets(count: number): Socket[] {
  return Array.from({ length: count }, (_, index) => {
    const socket = connectTcp({ port: service.port, host: '127.0.0.1', localAddress: `127.0.1.${(index % 200) + 1}` });
    return socket.on('error', () => undefined).resume();
  });
}

async function secondsUntilAllClosed(sockets: Socket[]): Promise<number> {
  const begun = performance.now();
  await Promise.all(sockets.filter((socket) => !socket.closed).map((socket) => once(socket, 'close')));
  return (performance.now() - begun) / 1000;
}

it(`${SILENT} sockets that say nothing are closed, and nobody else notices`, async () => {
  const healthy = await connectAs('ann');
  const sockets = openSockets(SILENT);
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const closing = secondsUntilAllClosed(sockets);
  await healthy.settled();
  const seconds = await closing;
  console.log(`${SILENT} silent sockets were closed within ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(8);
  await healthy.settled();
  await healthy.close();
}, 60_000);

it(`${TRICKLING} sockets that send one byte every two seconds are closed just the same`, async () => {
  const healthy = await connectAs('ann');
  const sockets = openSockets(TRICKLING);
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const request = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n';
  let sent = 0;
  const trickle = setInterval(() => {
    const byte = request[sent++ % request.length] ?? 'x';
    for (const socket of sockets) if (socket.writable) socket.write(byte);
  }, 2000);
  const seconds = await secondsUntilAllClosed(sockets);
  clearInterval(trickle);
  console.log(`${TRICKLING} trickling sockets were closed within ${seconds.toFixed(1)} s`);
  expect(seconds).toBeLessThan(8);
  await healthy.settled();
  await healthy.close();
}, 60_000);

it('somebody else’s prompt takes as long to be NOT_FOUND as one that does not exist', async () => {
  const opened = await fetch(`${service.url}/ws/confirmations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: JSON.stringify({ user_id: 'ann', task_id: 't', step: 1, step_result: { message: 'x'.repeat(10_000) } }),
  });
  const { callback_id: foreign } = (await opened.json()) as { callback_id: string };
  const eve = await connectAs('eve');
  const times: Record<'foreign' | 'unknown', number[]> = { foreign: [], unknown: [] };
  for (let round = 0; round < 2000; round += 1) {
    for (const kind of ['foreign', 'unknown'] as const) {
      const begun = performance.now();
      const reply = await eve.request({
        action: 'confirm',
        callback_id: kind === 'foreign' ? foreign : foreign.replace(/^./, 'z'),
        proceed: true,
      });
      times[kind].push(performance.now() - begun);
      expect(reply['code']).toBe('NOT_FOUND');
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const [foreignMs, unknownMs] = [median(times.foreign), median(times.unknown)];
  console.log(`median: foreign ${foreignMs.toFixed(3)} ms, unknown ${unknownMs.toFixed(3)} ms`);
  expect(Math.abs(foreignMs - unknownMs)).toBeLessThan(1);
  await eve.close();
}, 120_000);
