/** What one connection may send: bounded frames in work, a token bucket, and bounded memory for a client that floods. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { ConfirmationStore, type Page, type Confirmation } from '../../src/notification/engine/engine.js';
import { maskedFrame, OPCODE, RawClient } from '../support/raw-client.js';
import { startService, type TestService } from '../support/service.js';

const services: TestService[] = [];
const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) if (!client.isClosed) await client.reset();
  for (const service of services.splice(0)) await service.stop();
});

async function start(environment: Record<string, string>): Promise<TestService> {
  const service = await startService({ environment });
  services.push(service);
  return service;
}

/** A raw connection and the server's end of it. */
async function connectRaw(service: TestService): Promise<{ client: RawClient; socket: Socket }> {
  const arrived = new Promise<Socket>((resolve) => (service.app.getHttpServer() as Server).once('connection', resolve));
  const client = await RawClient.connect({ port: service.port });
  clients.push(client);
  return { client, socket: await arrived };
}

/** Nothing is bounded by time here: after `count` round trips of a healthy client anything would have happened. */
async function roundTrips(service: TestService, count: number): Promise<void> {
  const healthy = await service.connect();
  for (let index = 0; index < count; index += 1) await healthy.settled();
  await healthy.close();
}

describe('a client that sends faster than its frames are handled', () => {
  it('is not read any more, and gets every reply, in order, when they are', async () => {
    const service = await start({ WEBSOCKET_RATE_BURST: '1000000', WEBSOCKET_MAX_OUTBOX: '100000000' });
    const store = service.app.get<ConfirmationStore>(ConfirmationStore);
    const list = store.list.bind(store);
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    store.list = async (...query): Promise<Page<Confirmation>> => {
      await held;
      return list(...query);
    };
    const { client, socket } = await connectRaw(service);
    client.send({ action: 'pending', request_id: 0 });
    const total = 2000;
    const pad = 'x'.repeat(4000);
    for (let request_id = 1; request_id <= total; request_id += 1) client.send({ action: 'ping', request_id, pad });
    await roundTrips(service, 100);
    const read = socket.bytesRead;
    // 64 frames in work, and what one read of the socket brought beyond them.
    expect(read).toBeLessThan(64 * 4100 + 2 * 65_536);
    await roundTrips(service, 100);
    expect(socket.bytesRead).toBe(read);
    expect(client.readCount).toBe(0);
    goOn();
    await client.next(({ request_id }) => request_id === total);
    expect(client.payloads.map(({ request_id }) => request_id)).toEqual(Array.from({ length: total + 1 }, (_, index) => index));
  });
});

describe('a client that leaves without waiting for replies', () => {
  it('has decided what it answered before it closed', async () => {
    const service = await start({});
    const store = service.app.get<ConfirmationStore>(ConfirmationStore);
    const list = store.list.bind(store);
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    store.list = async (...query): Promise<Page<Confirmation>> => {
      await held;
      return list(...query);
    };
    const client = await service.connectAs('ann');
    const asked = service.notifications.notifyUser({ message: 'Go on?' }, 'ann', 'task', 1);
    const { callback_id } = await client.next('task_step_result');
    client.send({ action: 'pending' });
    client.send({ action: 'confirm', callback_id, proceed: true });
    await client.close();
    expect((await service.notifications.presence('ann')).connections).toBe(0);
    goOn();
    expect(await asked).toMatchObject({ proceed: true, answeredBy: 'ann' });
  });
});

describe('a client that answers several prompts at once', () => {
  it('has every answer decided without waiting for the reply before, and gets the replies in order', async () => {
    const service = await start({});
    const store = service.app.get<ConfirmationStore>(ConfirmationStore);
    const decide = store.decide.bind(store);
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    let first = true;
    store.decide = async (request) => {
      const waits = first;
      first = false;
      const result = await decide(request);
      if (waits) await held;
      return result;
    };
    const client = await service.connectAs('ann');
    service.ask({ message: 'One?' }, 'ann', 'task', 1);
    const { callback_id: one } = await client.next('task_step_result');
    const asked = service.notifications.notifyUser({ message: 'Two?' }, 'ann', 'task', 2);
    const { callback_id: two } = await client.next('task_step_result');
    const frames = [
      { action: 'confirm', callback_id: one, proceed: true },
      { action: 'confirm', callback_id: two, proceed: true },
      { action: 'confirm', callback_id: two, proceed: false },
      { action: 'confirm', callback_id: two, procede: true },
      { action: 'ping' },
    ];
    const before = client.received.length;
    for (const [request_id, frame] of frames.entries()) client.send({ ...frame, request_id });
    expect(await asked).toMatchObject({ proceed: true, via: 'websocket' });
    expect(client.received.length).toBe(before);
    goOn();
    await client.next('pong');
    expect(client.received.slice(before).map(({ request_id, type, code }) => [request_id, code ?? type])).toEqual([
      [0, 'confirmation_accepted'],
      [1, 'confirmation_accepted'],
      [2, 'ALREADY_RESOLVED'],
      [3, 'INVALID_MESSAGE'],
      [4, 'pong'],
    ]);
  });
});

describe('a client over its rate', () => {
  it('gets RATE_LIMITED for every frame, then is closed with 1008', async () => {
    const service = await start({ WEBSOCKET_RATE_LIMIT: '20', WEBSOCKET_RATE_BURST: '50' });
    const { client } = await connectRaw(service);
    client.write(Buffer.concat(Array.from({ length: 500 }, () => maskedFrame(OPCODE.text, '{"action":"ping"}'))));
    await client.closed();
    expect(client.closeCode).toBe(1008);
    const types = client.payloads.map(({ type, code }) => (type === 'error' ? code : type));
    const limited = types.filter((type) => type === 'RATE_LIMITED').length;
    const pongs = types.filter((type) => type === 'pong').length;
    expect(pongs).toBeGreaterThanOrEqual(1);
    expect(pongs).toBeLessThan(100);
    expect(limited).toBeGreaterThanOrEqual(20);
    expect(limited).toBeLessThan(60);
  });

  it('is closed with 1008 when it goes on pinging, though it reads every pong', async () => {
    const service = await start({ WEBSOCKET_RATE_LIMIT: '20', WEBSOCKET_RATE_BURST: '50' });
    const { client } = await connectRaw(service);
    while (!client.isClosed) {
      const answered = client.readCount + 10;
      client.write(Buffer.concat(Array.from({ length: 10 }, () => maskedFrame(OPCODE.ping, 'x'))));
      await client.until(() => client.readCount >= answered || client.isClosed);
    }
    expect(client.closeCode).toBe(1008);
    expect(client.frames.filter(({ opcode }) => opcode === OPCODE.pong).length).toBeLessThan(200);
  });

  it('is cut, and costs no more memory than its limit, when it pings and does not read', async () => {
    const limit = 16_384;
    const service = await start({ WEBSOCKET_MAX_OUTBOX: String(limit) });
    const { client, socket } = await connectRaw(service);
    client.pause();
    let waiting = 0;
    const watch = (): void => void (waiting = Math.max(waiting, socket.writableLength));
    socket.on('data', () => setImmediate(watch));
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const flood = Buffer.concat(Array.from({ length: 500 }, () => maskedFrame(OPCODE.ping, 'x'.repeat(125))));
    let isGone = false;
    void gone.then(() => (isGone = true));
    while (!isGone) {
      const taken = client.write(flood);
      if (!taken) {
        const drained = new Promise<void>((resolve) => client.socket.once('drain', () => resolve()));
        await Promise.race([drained, gone]);
      } else await new Promise(setImmediate);
    }
    expect(waiting).toBeLessThan(limit + 65_536);
  });

  it('does not slow the others down', async () => {
    const service = await start({ WEBSOCKET_RATE_LIMIT: '20', WEBSOCKET_RATE_BURST: '50' });
    const healthy = await service.connectAs('ann');
    const { client } = await connectRaw(service);
    client.write(Buffer.concat(Array.from({ length: 500 }, () => maskedFrame(OPCODE.text, 'garbage'))));
    await client.closed();
    expect(client.closeCode).toBe(1008);
    await service.notifications.sendToUser('ann', { type: 'note' });
    await healthy.next('note');
  });
});
