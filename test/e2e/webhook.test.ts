/** The webhook: decisions and cancellations come to a real HTTP server, signed, at least once. */
import { Webhook } from 'standardwebhooks';
import { Engine } from '../../src/notification/engine/engine.js';
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';
import { failing, hanging, SECRET, taken, WebhookReceiver, type Delivery } from '../support/webhook-receiver.js';

const STEP = { message: 'Deploy?' };
const OLD_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

describeEngines('the webhook', (engine) => {
  let receiver: WebhookReceiver;
  let service: TestService;
  let tasks = 0;
  const environment = (url = receiver.url): Record<string, string> => ({
    ...engine.environment(),
    WEBSOCKET_WEBHOOK_URL: url,
    WEBSOCKET_WEBHOOK_SECRET: `${SECRET},${OLD_SECRET}`,
    WEBSOCKET_WEBHOOK_TIMEOUT: '0.5',
    WEBSOCKET_PUBLIC_URL: 'https://ask.example/people/',
  });
  const newTask = (): string => `task-${(tasks += 1)}`;
  const ask = async (taskId: string, timeoutMs: number | null = null): Promise<string> => {
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: STEP,
      userId: 'ann',
      taskId,
      step: 1,
      timeoutMs,
    });
    return confirmation.callbackId;
  };
  const answer = async (callbackId: string): Promise<void> => {
    const { status } = await service.rest('POST', `/ws/confirmations/${callbackId}/answer`, { proceed: true, feedback: 'yes' });
    expect(status).toBe(200);
  };
  const isEarly = ({ event }: Delivery): boolean => /opened|expiring/.test(event.type);
  /** What is delivered of a prompt's decision. */
  const delivered = (callbackId: string, count = 1) =>
    receiver.nth(count, (delivery) => delivery.event.data['callback_id'] === callbackId && !isEarly(delivery));
  const early = (callbackId: string, type: string, count = 1) =>
    receiver.nth(count, ({ event }) => event.data['callback_id'] === callbackId && event.type === `confirmation.${type}`);
  /** A warning. A machine that is too busy for the fifth of the time that is left after it gets more. */
  const warned = async (timeoutMs = 400): Promise<Delivery> => {
    const callbackId = await ask(newTask(), timeoutMs);
    const next = await receiver.nth(
      1,
      ({ event }) => event.data['callback_id'] === callbackId && event.type !== 'confirmation.opened',
    );
    return next.event.type === 'confirmation.expiring' ? next : warned(timeoutMs * 4);
  };
  const waiting = async (at = service): Promise<number> => (await at.app.get<Engine>(Engine).events.counts()).waiting;

  beforeAll(async () => {
    await engine.start();
    receiver = await WebhookReceiver.start();
    service = await startService({ environment: environment() });
  });
  afterAll(async () => {
    await service.stop();
    await receiver.stop();
    await engine.stop();
  });
  beforeEach(() => {
    receiver.answering = taken;
  });

  it('sends an answer, a time-out, a withdrawal, a cancellation and a resumption as REST shows them', async () => {
    const taskId = newTask();
    const [answered, withdrawn, timedOut] = [await ask(newTask()), await ask(newTask()), await ask(newTask(), 30)];
    const cancelled = await ask(taskId);
    await answer(answered);
    await service.rest('DELETE', `/ws/confirmations/${withdrawn}`);
    await service.rest('POST', `/ws/tasks/${taskId}/cancel`, { reason: 'enough' });
    for (const [callbackId, state] of Object.entries({
      [answered]: 'answered',
      [withdrawn]: 'withdrawn',
      [timedOut]: 'timed_out',
      [cancelled]: 'cancelled',
    })) {
      const { event, headers, body } = await delivered(callbackId);
      const { body: shown } = await service.rest('GET', `/ws/confirmations/${callbackId}`);
      expect(event).toEqual({ type: `confirmation.${state}`, timestamp: expect.any(String), data: shown });
      expect(new Date(event.timestamp).toISOString()).toBe(event.timestamp);
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) });
    }
    const ofTask = (type: string) =>
      receiver.nth(1, ({ event }) => event.type === type && event.data['task_id'] === taskId && !event.data['callback_id']);
    expect((await ofTask('task.cancelled')).event.data).toEqual((await service.rest('GET', `/ws/tasks/${taskId}`)).body);
    await service.rest('DELETE', `/ws/tasks/${taskId}/cancel`);
    expect((await ofTask('task.resumed')).event.data).toEqual({ task_id: taskId, user_id: 'ann', cancelled: false });
  });

  it('sends an opened prompt and one near its deadline with what it shows and where to answer it', async () => {
    const user = `user of ${newTask()}`;
    const { confirmation } = await service.notifications.openConfirmation({
      stepResult: { message: 'Deploy?', result: { constructor: 1, n: [null] } },
      userId: user,
      taskId: newTask(),
      step: 1,
      title: 'T',
      timeoutMs: 60_000,
      choices: [{ id: 'go', label: 'Go', proceed: true }],
      risk: 'irreversible',
      metadata: { a: 1 },
    });
    const { callbackId } = confirmation;
    const inbox = await service.rest('GET', `/ws/users/${encodeURIComponent(user)}/confirmations`);
    const [shown] = inbox.body['confirmations'] as object[];
    const { event, id } = await early(callbackId, 'opened');
    expect(event).toEqual({
      type: 'confirmation.opened',
      timestamp: new Date(confirmation.createdAt).toISOString(),
      data: { ...shown, state: 'pending', url: `https://ask.example/people/?confirmation=${encodeURIComponent(callbackId)}` },
    });
    const warning = await warned();
    expect(warning.event.data).toMatchObject({
      state: 'pending',
      message: 'Deploy?',
      url: expect.stringContaining(encodeURIComponent(String(warning.event.data['callback_id']))),
    });
    expect(warning.id).not.toBe(id);
    await service.notifications.withdraw(callbackId);
    expect((await delivered(callbackId)).event.data).not.toHaveProperty('url');
  });

  it('shows an opened prompt as it was opened when it is delivered after the decision', async () => {
    receiver.answering = failing(500);
    const callbackId = await ask(newTask());
    const first = await early(callbackId, 'opened');
    await answer(callbackId);
    receiver.answering = taken;
    const second = await early(callbackId, 'opened', 2);
    expect([second.id, second.body]).toEqual([first.id, first.body]);
    expect(second.event.data).toMatchObject({ state: 'pending', message: 'Deploy?' });
    expect(second.event.data).not.toHaveProperty('proceed');
    expect((await delivered(callbackId)).event).toMatchObject({ type: 'confirmation.answered', data: { via: 'rest' } });
  });

  it('signs with every secret, so that a receiver may know any of them', async () => {
    const callbackId = await ask(newTask());
    await answer(callbackId);
    const { headers, body, event } = await delivered(callbackId);
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=$/);
    const verify = (secret: string, text: string) => new Webhook(secret).verify(text, headers as Record<string, string>);
    for (const secret of [SECRET, OLD_SECRET]) {
      expect(verify(secret, body)).toEqual(event);
      expect(() => verify(secret, body.replace('true', 'false'))).toThrow();
    }
    expect(() => verify(`whsec_${Buffer.alloc(24, 8).toString('base64')}`, body)).toThrow();
  });

  it('comes again with the same id and body after a failure, a redirection and silence, and then no more', async () => {
    const elsewhere = await WebhookReceiver.start();
    const answers = [failing(500), failing(307, { location: elsewhere.url }), hanging];
    const ids = [await ask(newTask()), await ask(newTask()), await ask(newTask())];
    while ((await waiting()) > 0) await service.app.get<Engine>(Engine).ping();
    receiver.answering = (delivery, response) => {
      const first = receiver.deliveries.filter(({ id }) => id === delivery.id).length === 1;
      (first ? (answers[ids.indexOf(String(delivery.event.data['callback_id']))] ?? taken) : taken)(delivery, response);
    };
    await Promise.all(ids.map(answer));
    for (const callbackId of ids) {
      const [first, second] = [await delivered(callbackId), await delivered(callbackId, 2)];
      expect([second.id, second.body]).toEqual([first.id, first.body]);
      expect(Number(second.headers['webhook-timestamp'])).toBeGreaterThanOrEqual(Number(first.headers['webhook-timestamp']));
    }
    while ((await waiting()) > 0) await service.app.get<Engine>(Engine).ping();
    const decisions = receiver.deliveries.filter((delivery) => !isEarly(delivery));
    expect(decisions.filter(({ event }) => ids.includes(String(event.data['callback_id'])))).toHaveLength(6);
    expect(elsewhere.deliveries).toEqual([]);
    await elsewhere.stop();
  });

  it('is counted in the metrics', async () => {
    await answer(await ask(newTask()));
    while ((await waiting()) > 0) await service.app.get<Engine>(Engine).ping();
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^webhook_sent_total [1-9]/m);
    expect(metrics).toMatch(/^webhook_failed_total [1-9]/m);
    expect(metrics).toMatch(/^webhook_dropped_total 0$/m);
    expect(metrics).toMatch(/^webhook_pending 0$/m);
    expect(metrics).toMatch(/^webhook_oldest_seconds 0$/m);
  });

  it('does not keep the service from closing while its receiver hangs, and comes again after the next start', async () => {
    const callbackId = await ask(newTask());
    await early(callbackId, 'opened');
    receiver.answering = hanging;
    await answer(callbackId);
    const { id } = await delivered(callbackId);
    const { dataDir } = service;
    const begunAt = performance.now();
    await service.app.close();
    expect(performance.now() - begunAt).toBeLessThan(10_000);
    receiver.answering = taken;
    service = await startService({ environment: environment(), dataDir });
    expect((await delivered(callbackId, 2)).id).toBe(id);
    while ((await waiting()) > 0) await service.app.get<Engine>(Engine).ping();
  });
});

it('sends and stores only the events of WEBSOCKET_WEBHOOK_EVENTS, and no url without a public address', async () => {
  const receiver = await WebhookReceiver.start();
  const service = await startService({
    environment: {
      WEBSOCKET_WEBHOOK_URL: receiver.url,
      WEBSOCKET_WEBHOOK_SECRET: SECRET,
      WEBSOCKET_WEBHOOK_EVENTS: 'confirmation.opened, task.cancelled',
    },
  });
  const { confirmation } = await service.notifications.openConfirmation({
    stepResult: STEP,
    userId: 'ann',
    taskId: 't',
    step: 1,
  });
  expect((await receiver.of('confirmation.opened')).event.data).not.toHaveProperty('url');
  await service.notifications.withdraw(confirmation.callbackId);
  await service.notifications.cancelTask('t');
  await receiver.of('task.cancelled');
  await service.notifications.resumeTask('t');
  while ((await service.app.get<Engine>(Engine).events.counts()).waiting > 0) await service.app.get<Engine>(Engine).ping();
  expect(receiver.deliveries.map(({ event }) => event.type)).toEqual(['confirmation.opened', 'task.cancelled']);
  await service.stop();
  await receiver.stop();
});

it('keeps no event and no metric when it is not configured', async () => {
  const service = await startService();
  const { confirmation } = await service.notifications.openConfirmation({
    stepResult: STEP,
    userId: 'ann',
    taskId: 't',
    step: 1,
  });
  await service.notifications.withdraw(confirmation.callbackId);
  await service.notifications.cancelTask('t');
  expect(await service.app.get<Engine>(Engine).events.counts()).toEqual({ waiting: 0 });
  expect(await (await fetch(`${service.url}/metrics`)).text()).not.toContain('webhook_pending');
  await service.stop();
});
