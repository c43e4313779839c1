/** What waits to be sent to one connection: it is conflated, then the connection is closed as slow, and prompts are not lost. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Hub } from '../../src/notification/connection/hub.js';
import { maskedFrame, OPCODE, RawClient } from '../support/raw-client.js';
import { startService, type TestService } from '../support/service.js';

const LIMIT = 65_536;
const PAD = 'x'.repeat(16_000);
/** More than the kernel's buffers on both sides take. */
const FILL = 1500;

let service: TestService;
/** The server's ends of all connections. */
const sockets: Socket[] = [];
beforeAll(async () => {
  service = await startService({ environment: { WEBSOCKET_MAX_OUTBOX: String(LIMIT), WEBSOCKET_RATE_LIMIT: '100000' } });
  (service.app.getHttpServer() as Server).on('connection', (socket) => sockets.push(socket));
});
afterAll(() => service.stop());

const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) if (!client.isClosed) await client.reset();
});

let serial = 0;
const fresh = (name: string): string => `${name}-${++serial}`;

async function connectRaw(user: string, recover?: object): Promise<{ client: RawClient; epoch: unknown }> {
  const client = await RawClient.connect({ port: service.port });
  clients.push(client);
  client.send({ action: 'subscribe', user_id: user, recover: recover ?? { epoch: 'another', offset: 0 } });
  await client.next(({ type }) => type === 'subscription_confirmed');
  if (recover) return { client, epoch: undefined };
  // Until it is live a slow reader is shown history as it reads, and is never too slow for that.
  const { epoch } = await client.next(({ type }) => type === 'recovered');
  return { client, epoch };
}

/** Sends plain messages until the connection is given up. */
async function overflow(user: string): Promise<number> {
  for (let n = 1; n <= 4 * FILL; n += 1) {
    const { deliveredTo } = await service.notifications.sendToUser(user, { type: 'note', n, pad: PAD });
    if (deliveredTo === 0) return n;
  }
  throw new Error('the connection took everything');
}

describe('a reader that falls behind', () => {
  it('gets the newest progress and heartbeat of each task, not a backlog, and stays connected', async () => {
    const user = fresh('user');
    const { client } = await connectRaw(user);
    client.pause();
    for (let n = 1; n <= FILL; n += 1) {
      for (const task of ['one', 'two']) {
        const pad = n < FILL ? PAD : '';
        await service.notifications.sendToUser(user, { type: 'task_progress', task_id: task, progress: n, message: pad });
      }
      await service.notifications.sendToUser(user, { type: 'heartbeat', task_id: 'one', n });
    }
    expect((await service.notifications.presence(user)).connections).toBe(1);
    client.resume();
    for (const task of ['one', 'two']) {
      await client.next((frame) => frame['type'] === 'task_progress' && frame['task_id'] === task && frame['progress'] === FILL);
    }
    await client.next((frame) => frame['type'] === 'heartbeat' && frame['n'] === FILL);
    const seen = client.payloads.filter((frame) => frame['type'] === 'task_progress' && frame['task_id'] === 'one');
    expect(seen.length).toBeLessThan(FILL);
    const values = seen.map(({ progress }) => Number(progress));
    expect(values).toEqual([...values].sort((a, b) => a - b));
    client.send({ action: 'ping' });
    await client.next(({ type }) => type === 'pong');
  });

  it('is closed with 4408 when the rest does not fit; after a reconnect no message, prompt or resolution is missing', async () => {
    const user = fresh('user');
    const { client, epoch } = await connectRaw(user);
    client.pause();
    const decided = await service.notifications.openConfirmation({
      stepResult: { message: 'Go on?' },
      userId: user,
      taskId: fresh('task'),
      step: 1,
    });
    const gone = await overflow(user);
    const { messageId } = await service.notifications.sendToUser(user, { type: 'invoice' }, { requiresAck: true });
    const opened = await service.notifications.openConfirmation({
      stepResult: { message: 'And now?' },
      userId: user,
      taskId: fresh('task'),
      step: 2,
    });
    await service.notifications.withdraw(decided.confirmation.callbackId);
    client.resume();
    await client.closed();
    expect(client.closeCode).toBe(4408);
    const seen = client.payloads.filter(({ type }) => type === 'note').map(({ n }) => Number(n));
    expect(seen.length).toBeLessThan(gone);

    const back = await RawClient.connect({ port: service.port });
    clients.push(back);
    back.send({ action: 'subscribe', user_id: user, recover: { epoch, offset: seen.length } });
    const reply = await back.next(({ type }) => type === 'subscription_confirmed');
    expect(reply['pending']).toEqual([opened.confirmation.callbackId]);
    expect(await back.next(({ type }) => type === 'recovered')).toMatchObject({ recovered: true, offset: gone });
    const notes = back.payloads.filter(({ type }) => type === 'note').map(({ n }) => Number(n));
    expect([...seen, ...notes]).toEqual(Array.from({ length: gone }, (_, index) => index + 1));
    expect(back.payloads.filter(({ type }) => type === 'task_step_result')).toMatchObject([
      { callback_id: opened.confirmation.callbackId, redelivered: true },
    ]);
    expect(back.payloads.filter(({ type }) => type === 'invoice')).toMatchObject([{ message_id: messageId }]);
  });

  it('gets nothing after the answer to its own close frame', async () => {
    const user = fresh('user');
    const { client } = await connectRaw(user);
    client.pause();
    const [connection] = service.app.get(Hub).ofUser(user);
    while ((connection?.waitingBytes ?? LIMIT) < LIMIT / 2)
      await service.notifications.sendToUser(user, { type: 'note', pad: PAD });
    client.write(maskedFrame(OPCODE.close, Buffer.from([0x03, 0xe8])));
    client.resume();
    await client.closed();
    expect([client.closeCode, client.frames.at(-1)?.opcode]).toEqual([1000, OPCODE.close]);
  });

  it('is cut by the server when it does not read the close frame', async () => {
    const user = fresh('user');
    const { client } = await connectRaw(user);
    client.pause();
    const gone = new Promise<void>((resolve) => {
      const socket = sockets.find(({ remotePort }) => remotePort === client.socket.localPort);
      socket?.once('close', () => resolve());
    });
    await overflow(user);
    await gone;
    expect(client.isClosed).toBe(false);
  });
});

describe('redelivery and recovery', () => {
  it('show thousands of prompts to a slow reader as it reads, with what comes live meanwhile, and never close it', async () => {
    const user = fresh('user');
    const total = 2500;
    const open = (step: number, result: string) =>
      service.notifications.openConfirmation({ stepResult: { message: 'Go on?', result }, userId: user, taskId: user, step });
    for (let step = 1; step <= total; step += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => open(step + index, 'y'.repeat(4000))));
    }
    const { client } = await connectRaw(user);
    client.pause();
    // While most of them wait: what comes live is small, but comes again and again.
    for (let n = 1; n <= 100; n += 1) await service.notifications.sendToUser(user, { type: 'note', n });
    await open(total + 1, '');
    client.resume();
    await client.next((frame) => frame['step'] === total + 1);
    await client.next((frame) => frame['n'] === 100);
    const lasts = (): boolean => client.payloads.filter(({ type }) => type === 'task_step_result').length >= total + 1;
    while (!lasts()) {
      client.send({ action: 'ping', request_id: client.readCount });
      const asked = client.readCount;
      await client.next(({ request_id }) => request_id === asked);
    }
    const steps = client.payloads.filter(({ type }) => type === 'task_step_result').map(({ step }) => Number(step));
    expect(steps.length).toBe(total + 1);
    expect(new Set(steps).size).toBe(total + 1);
    expect(client.closeCode).toBeUndefined();
    await service.notifications.cancelTask(user);
  });

  it('do not close a slow reader, also with a long history', async () => {
    const user = fresh('user');
    const { client: first, epoch } = await connectRaw(user);
    await first.reset();
    for (let n = 1; n <= 900; n += 1) await service.notifications.sendToUser(user, { type: 'note', n, pad: PAD });
    const { client } = await connectRaw(user, { epoch, offset: 0 });
    client.pause();
    for (let n = 0; n < 3; n += 1)
      await service.notifications.sendToUser(user, { type: 'heartbeat', task_id: `t${n}`, pad: PAD });
    client.resume();
    expect(await client.next(({ type }) => type === 'recovered')).toMatchObject({ recovered: true, offset: 900 });
    expect(client.payloads.filter(({ type }) => type === 'note').map(({ n }) => Number(n))).toEqual(
      Array.from({ length: 900 }, (_, index) => index + 1),
    );
    expect(client.closeCode).toBeUndefined();
  });
});

describe('heartbeats', () => {
  it('use one timer for 5 000 running tasks', async () => {
    const roomy = await startService();
    const user = fresh('user');
    const client = await roomy.connectAs(user);
    const { setTimeout: realTimeout, setInterval: realInterval } = globalThis;
    let intervals = 0;
    let timeouts = 0;
    globalThis.setInterval = (...given: Parameters<typeof realInterval>) => {
      intervals += 1;
      return realInterval(...given);
    };
    globalThis.setTimeout = ((...given: Parameters<typeof realTimeout>) => {
      timeouts += 1;
      return realTimeout(...given);
    }) as typeof realTimeout;
    try {
      const handles = Array.from({ length: 5000 }, (_, n) => roomy.notifications.sendHeartbeat(user, `beat-${n}`, 5));
      await client.next({ type: 'heartbeat', task_id: 'beat-4999' });
      await client.next({ type: 'heartbeat', task_id: 'beat-0' });
      const beats = client.received.filter(({ type }) => type === 'heartbeat').length;
      expect(beats).toBeGreaterThanOrEqual(5000);
      for (const handle of handles) handle.stop();
      expect(intervals).toBeLessThanOrEqual(1);
      expect(timeouts).toBeLessThan(50);
    } finally {
      Object.assign(globalThis, { setTimeout: realTimeout, setInterval: realInterval });
      await roomy.stop();
    }
  });
});
