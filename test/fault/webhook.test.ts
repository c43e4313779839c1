/**
 * Webhooks over the death of the node that has to send them: real processes, `kill -9`, a receiver that is gone, slow, or silent.
 * WEBHOOK_DECISIONS says how many decisions are made each time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { requireBinary } from '../support/system.js';
import { failing, hanging, SECRET, taken, WebhookReceiver } from '../support/webhook-receiver.js';
import { AFTER_DECISIONS } from '../support/webhook-events.js';

const DECISIONS = Number(process.env['WEBHOOK_DECISIONS'] ?? 100);

let receiver: WebhookReceiver;
let folder: string;
const running: ServiceProcess[] = [];

const start = async (environment: Record<string, string> = {}, path = ''): Promise<ServiceProcess> => {
  const service = await startProcess({
    WEBSOCKET_DATA_DIR: folder,
    WEBSOCKET_WEBHOOK_URL: receiver.url + path,
    WEBSOCKET_WEBHOOK_SECRET: SECRET,
    WEBSOCKET_WEBHOOK_EVENTS: AFTER_DECISIONS.join(),
    ...environment,
  });
  running.push(service);
  return service;
};
const post = async (url: string, body: object): Promise<Record<string, string>> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
  return (await response.json()) as Record<string, string>;
};
/** Asks on one node and answers on another. @returns the callback id, once the answer is acknowledged */
const decide = async (index: number, asking: ServiceProcess, answering = asking): Promise<string> => {
  const prompt = { user_id: `user-${index}`, task_id: `task-${index}`, step: 1, step_result: { message: '?' } };
  const { callback_id: callbackId = '' } = await post(`${asking.url}/ws/confirmations`, prompt);
  await post(`${answering.url}/ws/confirmations/${callbackId}/answer`, { proceed: true });
  return callbackId;
};
const decideMany = (count: number, ...nodes: ServiceProcess[]): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, (_, index) =>
      decide(index, nodes[index % nodes.length] as ServiceProcess, nodes[(index + 1) % nodes.length] as ServiceProcess),
    ),
  );
const callbacks = (): string[] => receiver.deliveries.map(({ event }) => String(event.data['callback_id']));
const untilAllCame = async (ids: string[]): Promise<void> => {
  for (const id of ids) await receiver.nth(1, ({ event }) => event.data['callback_id'] === id);
};
const pending = async ({ url }: ServiceProcess): Promise<number> => {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^webhook_pending (.+)$/m.exec(metrics)?.[1]);
};
const untilNoneWaits = async (service: ServiceProcess): Promise<void> => {
  while ((await pending(service)) > 0) continue;
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webhook-'));
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop('SIGKILL')));
  await receiver.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a webhook', () => {
  it('comes after a kill -9 and a restart of the service for a decision that was made while its receiver was gone', async () => {
    const first = await start();
    await receiver.stop();
    const ids = await decideMany(DECISIONS, first);
    expect(await first.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    await receiver.listen();
    const second = await start();
    await untilAllCame(ids);
    await untilNoneWaits(second);
    console.log(`${DECISIONS} decisions, ${callbacks().length} deliveries after the kill`);
    expect(new Set(callbacks())).toEqual(new Set(ids));
    expect(receiver.forged).toEqual([]);
  }, 120_000);

  it('comes after a kill -9 for a confirmation that was opened while its receiver was gone, also when it was answered meanwhile', async () => {
    const events = { WEBSOCKET_WEBHOOK_EVENTS: 'confirmation.opened' };
    const first = await start(events);
    await receiver.stop();
    const ids = await decideMany(DECISIONS, first);
    await first.stop('SIGKILL');
    await receiver.listen();
    const second = await start(events);
    await untilAllCame(ids);
    await untilNoneWaits(second);
    expect(new Set(callbacks())).toEqual(new Set(ids));
    const shown = receiver.deliveries.map(({ event }) => `${event.type} ${String(event.data['state'])}`);
    expect(new Set(shown)).toEqual(new Set(['confirmation.opened pending']));
  }, 120_000);

  it('comes again with the same id when its lease has ended, after a kill -9 during the attempt', async () => {
    receiver.answering = hanging;
    const first = await start({ WEBSOCKET_WEBHOOK_TIMEOUT: '2' });
    const id = await decide(1, first);
    const { id: webhookId } = await receiver.nth(1);
    await first.stop('SIGKILL');
    receiver.answering = taken;
    const second = await start({ WEBSOCKET_WEBHOOK_TIMEOUT: '2' });
    expect(await receiver.nth(2)).toMatchObject({ id: webhookId, event: { data: { callback_id: id } } });
    await untilNoneWaits(second);
    expect(receiver.deliveries).toHaveLength(2);
  }, 60_000);

  it('comes a fourth time with the same id and body after three failures and growing pauses; the log has two lines of it', async () => {
    const at: number[] = [];
    receiver.answering = (delivery, response) => {
      at.push(performance.now());
      (at.length < 4 ? failing(503) : taken)(delivery, response);
    };
    const service = await start({ WEBSOCKET_WEBHOOK_URL: receiver.url.replace('//', '//someone:password@') });
    let log = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await decide(1, service);
    const { id, body, headers } = await receiver.nth(4);
    for (const delivery of receiver.deliveries) expect(delivery).toMatchObject({ id, body });
    const pauses = at.slice(1).map((moment, index) => moment - (at[index] ?? 0));
    console.log(`pauses: ${pauses.map((ms) => `${Math.round(ms)} ms`).join(', ')}`);
    for (const [index, least] of [750, 1500, 3000].entries()) expect(pauses[index]).toBeGreaterThan(least * 0.95);
    await untilNoneWaits(service);
    expect(receiver.deliveries).toHaveLength(4);
    expect(headers.authorization).toBe(`Basic ${Buffer.from('someone:password').toString('base64')}`);
    await service.stop();
    const lines = log.split('\n').filter((line) => line.includes('"context":"Webhook"'));
    expect(lines).toEqual([expect.stringContaining('fails (503)'), expect.stringContaining('accepts events again')]);
    for (const secret of ['password', SECRET, receiver.url, 'confirmation.answered']) expect(log).not.toContain(secret);
  }, 60_000);

  it('waits as long as its receiver asks', async () => {
    receiver.answering = (delivery, response) =>
      (receiver.deliveries.length === 1 ? failing(429, { 'retry-after': '4' }) : taken)(delivery, response);
    const service = await start();
    await decide(1, service);
    await receiver.nth(1);
    const askedAt = performance.now();
    await receiver.nth(2);
    expect(performance.now() - askedAt).toBeGreaterThan(3900);
  }, 60_000);

  it('does not keep the service from stopping when its receiver is silent, and is not lost', async () => {
    receiver.answering = (delivery, response) =>
      (receiver.deliveries.length <= DECISIONS / 2 ? taken : hanging)(delivery, response);
    const first = await start();
    const ids = await decideMany(DECISIONS, first);
    await receiver.nth(Math.floor(DECISIONS / 2) + 1);
    const begunAt = performance.now();
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - begunAt;
    console.log(`stopped after ${Math.round(tookMs)} ms, ${receiver.deliveries.length} of ${DECISIONS} sent by then`);
    expect(tookMs).toBeLessThan(8000);
    const unanswered = receiver.deliveries.slice(DECISIONS / 2).map(({ id }) => id);
    receiver.answering = taken;
    const second = await start();
    for (const unheard of unanswered) await receiver.nth(2, ({ id }) => id === unheard);
    await untilAllCame(ids);
    await untilNoneWaits(second);
    expect(new Set(callbacks())).toEqual(new Set(ids));
  }, 120_000);
});

requireBinary('redis-server')('webhooks of two nodes on one Redis', () => {
  let redis: RedisServer;
  let nodes: [ServiceProcess, ServiceProcess];
  beforeEach(async () => {
    redis = await RedisServer.start();
    const environment = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url, WEBSOCKET_WEBHOOK_TIMEOUT: '3' };
    nodes = [await start(environment, '?a'), await start(environment, '?b')];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.stop('SIGKILL')));
    await redis.stop();
  });

  it('come once each, from either node', async () => {
    const ids = await decideMany(DECISIONS, ...nodes);
    await untilAllCame(ids);
    await untilNoneWaits(nodes[0]);
    const from = (path: string): number => receiver.deliveries.filter((delivery) => delivery.path.endsWith(path)).length;
    console.log(`${from('a')} by one node, ${from('b')} by the other`);
    expect(callbacks().sort()).toEqual([...ids].sort());
    expect([from('a') > 0, from('b') > 0]).toEqual([true, true]);
  }, 60_000);

  it('come from the other node when the one that was sending is killed', async () => {
    receiver.answering = hanging;
    const id = await decide(1, ...nodes);
    const { path, id: webhookId } = await receiver.nth(1);
    await nodes[path.endsWith('a') ? 0 : 1].stop('SIGKILL');
    receiver.answering = taken;
    const second = await receiver.nth(2);
    expect(second).toMatchObject({ id: webhookId, event: { data: { callback_id: id } } });
    expect(second.path).not.toBe(path);
    const survivor = nodes[path.endsWith('a') ? 1 : 0];
    await untilNoneWaits(survivor);
    expect(receiver.deliveries).toHaveLength(2);
  }, 60_000);

  it('comes for a cancelled task even when the node that cancelled dies at once', async () => {
    await receiver.stop();
    const asked = { user_id: 'ann', task_id: 'task', step: 1, step_result: { message: '?' } };
    const { callback_id: callbackId } = await post(`${nodes[0].url}/ws/confirmations`, asked);
    await post(`${nodes[0].url}/ws/tasks/task/cancel`, {});
    await nodes[0].stop('SIGKILL');
    await receiver.listen();
    expect((await receiver.of('task.cancelled')).event.data).toMatchObject({ task_id: 'task', cancelled: true });
    expect((await receiver.of('confirmation.cancelled')).event.data).toMatchObject({ callback_id: callbackId, proceed: false });
  }, 60_000);
});
