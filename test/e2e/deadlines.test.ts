/** When a deadline is applied, and to what: with an event loop that stands still, and a service that does not serve. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ConfirmationResult, NotifyUserOptions } from '../../src/notification/index.js';
import type { Frame, TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';

/** Until then the event loop, which the service shares with this test, does nothing else. */
function blockUntil(moment: number): void {
  while (Date.now() < moment);
}

/** In a thread of its own, which does not stand still: a new connection for each request. */
const SEND_EACH = `
  const { connect } = require('node:net');
  const { port, requests } = require('node:worker_threads').workerData;
  for (const request of requests) {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('error', () => undefined).on('data', () => socket.destroy());
  }`;
const FRESH = Array.from({ length: 12 }, (_, index) => `fresh-${index}`);

interface Asked {
  device: TestClient;
  callbackId: string;
  expiresAt: number;
  result: Promise<ConfirmationResult>;
}

describeEngines('a service whose event loop stands still over a deadline', (engine) => {
  let service: TestService;
  let reply: Promise<Frame>;
  let restReply: Promise<string>;
  let senderEnded: Promise<unknown>;
  const asked: Record<string, Asked> = {};

  beforeAll(async () => {
    await engine.start();
    service = await startService({ environment: { ...engine.environment(), WEBSOCKET_TIMEOUT_DECISION: 'proceed' } });
    const ask = async (userId: string, options: NotifyUserOptions = {}): Promise<void> => {
      const device = await service.connectAs(userId);
      const result = service.notifications.notifyUser({ message: 'Go on?' }, userId, `task of ${userId}`, 1, {
        timeoutMs: 1500,
        ...options,
      });
      const { callback_id, expires_at } = await device.next({ type: 'task_step_result', user_id: userId });
      asked[userId] = { device, callbackId: String(callback_id), expiresAt: Number(expires_at) * 1000, result };
    };
    await Promise.all([
      ask('setting'),
      ask('caller', { onTimeout: 'proceed' }),
      ask('many'),
      ask('rest'),
      ask('canceller'),
      ask('nobody'),
      ...FRESH.map((userId) => ask(userId)),
    ]);
    const confirm = (userId: string) => ({ action: 'confirm', callback_id: of(userId).callbackId, proceed: false });
    const http = connect(service.port, '127.0.0.1');
    await once(http, 'connect');
    restReply = once(http, 'data').then(([chunk]) => String(chunk));
    const answerByRest = (userId: string) =>
      `POST /ws/confirmations/${of(userId).callbackId}/answer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
      'Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{"proceed":false}';
    // The kernel has all of this before the event loop stops, or, of new connections, while it stands still.
    http.write(answerByRest('rest'));
    const workerData = { port: service.port, requests: FRESH.map(answerByRest) };
    const sender = new Worker(SEND_EACH, { eval: true, workerData });
    senderEnded = once(sender, 'exit');
    reply = of('setting').device.request(confirm('setting'));
    of('caller').device.send(confirm('caller'));
    for (let frame = 0; frame < 200; frame += 1) of('many').device.send({ action: 'ping', frame });
    of('many').device.send(confirm('many'));
    of('canceller').device.send({ action: 'cancel', user_id: 'canceller', task_id: 'task of canceller' });
    blockUntil(Math.max(...Object.values(asked).map(({ expiresAt }) => expiresAt)) + 50);
  });
  afterAll(async () => {
    await senderEnded;
    await service.stop();
    await engine.stop();
  });
  const of = (userId: string): Asked => {
    const its = asked[userId];
    if (!its) throw new Error(`${userId} was not asked`);
    return its;
  };

  it.each(['setting', 'caller'])(
    'reads an answer that waits in a socket before it applies the default of the %s',
    async (whose) => {
      expect(await of(whose).result).toMatchObject({ outcome: 'answered', proceed: false });
      expect(await reply).toMatchObject({ type: 'confirmation_accepted' });
    },
  );

  it('reads what a connection has sent before its answer, too', async () => {
    expect(await of('many').result).toMatchObject({ outcome: 'answered', proceed: false });
  });

  it('reads an answer by REST that waits in a socket', async () => {
    expect(await of('rest').result).toMatchObject({ outcome: 'answered', proceed: false });
    expect(await restReply).toMatch('HTTP/1.1 200');
  });

  it('accepts the connections that wait, and reads their answers', async () => {
    for (const userId of FRESH) expect(await of(userId).result).toMatchObject({ outcome: 'answered', proceed: false });
  });

  it('reads a cancellation that waits in a socket', async () => {
    expect(await of('canceller').result).toMatchObject({ outcome: 'cancelled', proceed: false });
  });

  it('decides by the default where no answer arrived, and refuses later answers', async () => {
    const { callbackId, device, result } = of('nobody');
    expect(await result).toMatchObject({ outcome: 'timed_out' });
    expect(await device.request({ action: 'confirm', callback_id: callbackId, proceed: false })).toMatchObject({
      code: 'ALREADY_RESOLVED',
      confirmation: { state: 'timed_out' },
    });
  });

  it('keeps an acknowledged message for its time to live, however wrong the clock of the node is', async () => {
    const { now } = Date;
    Date.now = () => now() - 120_000;
    try {
      await service.notifications.sendToUser('reader', { type: 'mail' }, { requiresAck: true, ttlMs: 60_000 });
    } finally {
      Date.now = now;
    }
    const device = await service.connectAs('reader');
    expect(await device.next('mail')).toMatchObject({ requires_ack: true });
  });

  it("does not let a setting's proceed count while it does not serve", async () => {
    await service.notifications.stopServer();
    try {
      await delay(100);
      const asking = (onTimeout?: 'proceed') =>
        service.notifications.notifyUser({ message: 'Go on?' }, 'unreached', 'unreached', 1, { timeoutMs: 200, onTimeout });
      const [bySetting, byCaller] = await Promise.all([asking(), asking('proceed')]);
      expect(bySetting).toMatchObject({ outcome: 'timed_out', proceed: false });
      expect(byCaller).toMatchObject({ outcome: 'timed_out', proceed: true });
    } finally {
      await service.notifications.startServer();
    }
  });
});
