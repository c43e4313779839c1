/** How the service ends: what is under way over HTTP gets its answer first, so that no load balancer sees it break off. */
import { once } from 'node:events';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
let running: boolean;
beforeEach(async () => {
  service = await startService();
  running = true;
});
afterEach(async () => {
  if (running) await service.stop();
});

const end = async (): Promise<void> => {
  running = false;
  await service.stop();
};
const QUESTION = { user_id: 'ann', task_id: 'task', step: 1, step_result: { message: '?' } };

it('answers long polls with the current state', async () => {
  const device = await service.connectAs('ann');
  const polls = [
    service.rest('POST', '/ws/confirmations?wait=30', QUESTION),
    service.rest('POST', '/ws/users/ann/messages?requires_ack=true&wait=30', { type: 'bill' }),
  ];
  const { callback_id } = await device.next('task_step_result');
  polls.push(service.rest('GET', `/ws/confirmations/${String(callback_id)}?wait=30`));
  await device.next('bill');
  // Behind the poll on the same node: once this is answered, the poll has been read.
  await service.rest('GET', `/ws/confirmations/${String(callback_id)}`);
  await end();
  const [asked, sent, polled] = await Promise.all(polls);
  expect(asked).toMatchObject({ status: 201, body: { callback_id, state: 'pending' } });
  expect(sent).toMatchObject({ status: 202, body: { acknowledged: false } });
  expect(polled).toMatchObject({ status: 200, body: { callback_id, state: 'pending' } });
});

it('answers a request that had only begun to arrive', async () => {
  const body = JSON.stringify(QUESTION);
  const half = request(`${service.url}/ws/confirmations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  });
  half.write(body.slice(0, 10));
  await service.rest('GET', '/health/live');
  const ended = end();
  const stoppedListening = async (): Promise<boolean> =>
    await service.rest('GET', '/health/live').then(
      () => false,
      () => true,
    );
  while (!(await stoppedListening())) continue;
  half.end(body.slice(10));
  const [response] = (await once(half, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  expect([response.statusCode, JSON.parse((await buffer(response)).toString())]).toMatchObject([201, { state: 'pending' }]);
  await ended;
});

it('answers on connections that it has not accepted yet', async () => {
  const answers = Array.from({ length: 40 }, async () => {
    const call = request(`${service.url}/ws/status`, { agent: false }).end();
    const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    response.resume();
    return response.statusCode;
  });
  const all = Promise.all(answers);
  // The kernel has connected them; this process accepts one in each turn.
  await new Promise(setImmediate);
  const ended = end();
  expect(await all).toEqual(Array(40).fill(200));
  await ended;
});

it('closes every connection that it answers on while it drains', async () => {
  await service.stop();
  service = await startService({ environment: { WEBSOCKET_DRAIN_TIMEOUT: '1' } });
  const [first, last] = [await service.connect(), await service.connect()];
  expect((await service.rest('GET', '/ws/status')).headers.get('connection')).toBe('keep-alive');
  running = false;
  const ended = service.app.close();
  await first.closed();
  const answer = await service.rest('POST', '/ws/confirmations', QUESTION);
  expect([answer.status, answer.headers.get('connection')]).toEqual([201, 'close']);
  await last.closed();
  await ended;
  await service.stop();
});
