/** The client library against the real service, with a proxy between them that breaks connections. */
import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';
import {
  AlreadyResolvedError,
  ClientClosedError,
  connect,
  ServerError,
  type ClientOptions,
  type ConnectionState,
  type NotificationClient,
  type OpenConfirmation,
  type SocketConstructor,
} from '../../src/client/index.js';
import { CheckedSocket } from '../support/checked-socket.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const Socket = CheckedSocket as unknown as SocketConstructor;

describe('a client', () => {
  let service: TestService;
  let proxy: TcpProxy;
  const clients: NotificationClient[] = [];
  const errors: unknown[] = [];
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());
  beforeEach(async () => {
    errors.length = 0;
    proxy = await TcpProxy.start({ port: service.port });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await proxy.close();
  });

  const open = (options: ClientOptions, url = `ws://127.0.0.1:${proxy.port}/ws`): NotificationClient => {
    const client = connect(url, { WebSocket: Socket, onError: (error) => errors.push(error), ...options });
    clients.push(client);
    return client;
  };
  const reached = (client: NotificationClient, status: ConnectionState['status']): Promise<ConnectionState> =>
    new Promise((resolve) => {
      if (client.state.status === status) return resolve(client.state);
      const stop = client.onState((state) => {
        if (state.status !== status) return;
        stop();
        resolve(state);
      });
    });
  const snapshot = async (
    client: NotificationClient,
    holds: (open: readonly OpenConfirmation[]) => boolean,
  ): Promise<readonly OpenConfirmation[]> => {
    for await (const list of client.confirmations) if (holds(list)) return list;
    throw new Error('the list ended');
  };

  it('shows what its user is asked, answers it, and the caller goes on with the answer', async () => {
    const client = open({ userId: 'ann' });
    const asked = service.notifications.notifyUser({ message: 'Deploy?' }, 'ann', 'deploy', 1);
    const [confirmation] = await snapshot(client, (list) => list.length === 1);
    expect(confirmation).toMatchObject({ message: 'Deploy?', task_id: 'deploy', answering: false });
    expect(client.remainingMs(confirmation!)).toBeGreaterThan(200_000);
    await client.confirmations.answer(confirmation!.callback_id, { proceed: true, feedback: 'fine' });
    expect(client.confirmations.getSnapshot()).toEqual([]);
    expect(await asked).toMatchObject({ outcome: 'answered', proceed: true, feedback: 'fine', answeredBy: 'ann' });
    expect(errors).toEqual([]);
  });

  it('lets a program answer each confirmation once, also after its connection was cut', async () => {
    const client = open({ userId: 'bot' });
    const seen: string[] = [];
    client.onConfirmation(({ callback_id, step }) => {
      seen.push(callback_id);
      return step === 1 ? undefined : { proceed: true };
    });
    service.ask({ message: 'Only look' }, 'bot', 'work', 1);
    await snapshot(client, (list) => list.length === 1);
    proxy.cut();
    const { proceed } = await service.notifications.notifyUser({ message: 'Go on?' }, 'bot', 'work', 2);
    expect(proceed).toBe(true);
    expect(new Set(seen).size).toBe(seen.length);
    expect(await snapshot(client, (list) => list.length === 1)).toMatchObject([{ step: 1 }]);
  });

  it('delivers an answer that was given offline once it is back, and the answer counts', async () => {
    const client = open({ userId: 'off' });
    const asked = service.notifications.notifyUser({ message: 'Sign?' }, 'off', 'sign', 1);
    const [confirmation] = await snapshot(client, (list) => list.length === 1);
    await proxy.refuse();
    proxy.cut();
    await reached(client, 'waiting');
    const answered = client.confirmations.answer(confirmation!.callback_id, { proceed: true });
    expect(client.confirmations.getSnapshot()).toMatchObject([{ answering: true }]);
    await proxy.resume();
    await answered;
    expect(await asked).toMatchObject({ proceed: true, outcome: 'answered' });
  });

  it('rejects an answer that came too late with the decision that counts, and takes the prompt away', async () => {
    const client = open({ userId: 'late' });
    service.ask({ message: 'Sign?' }, 'late', 'sign-2', 1);
    const [confirmation] = await snapshot(client, (list) => list.length === 1);
    await proxy.refuse();
    proxy.cut();
    await reached(client, 'waiting');
    const answered = client.confirmations.answer(confirmation!.callback_id, { proceed: true });
    const elsewhere = await service.connectAs('late');
    await elsewhere.request({ action: 'confirm', callback_id: confirmation!.callback_id, proceed: false });
    await proxy.resume();
    const error: unknown = await answered.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AlreadyResolvedError);
    expect((error as AlreadyResolvedError).decision).toMatchObject({ state: 'answered', proceed: false });
    expect(client.confirmations.getSnapshot()).toEqual([]);
  });

  it('keeps a confirmation open when its answer is not valid, and names the fields', async () => {
    const client = open({ userId: 'form' });
    service.ask({ message: 'Which?' }, 'form', 'choose', 1, { choices: [{ id: 'a', label: 'A', proceed: true }] });
    const [confirmation] = await snapshot(client, (list) => list.length === 1);
    const error: unknown = await client.confirmations
      .answer(confirmation!.callback_id, { choice: 'z' })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ code: 'INVALID_ANSWER', fields: { choice: expect.any(String) as string } });
    expect(client.confirmations.getSnapshot()).toMatchObject([{ answering: false }]);
  });

  it('takes a prompt away that another device has answered while it was offline', async () => {
    const client = open({ userId: 'two' });
    service.ask({ message: 'Here?' }, 'two', 'both', 1);
    const [confirmation] = await snapshot(client, (list) => list.length === 1);
    await proxy.refuse();
    proxy.cut();
    await reached(client, 'waiting');
    const elsewhere = await service.connectAs('two');
    await elsewhere.request({ action: 'confirm', callback_id: confirmation!.callback_id, proceed: true });
    const gone = snapshot(client, (list) => list.length === 0);
    await proxy.resume();
    await gone;
  });

  it('gets every message of its channels once and in order however often it is cut', async () => {
    const client = open({ userId: 'news' });
    const got: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      // In this order: a client that gets `headlines` has subscribed to `broadcast`.
      for (const channel of ['broadcast', 'headlines'])
        client.channel(channel, (message) => {
          if (message.type !== 'news') return;
          got.push(message['number']);
          if (got.length === 60) resolve();
        });
    });
    client.onGap((channel) => got.push(`gap in ${channel}`));
    // What is published before both subscriptions stand is nobody's promise.
    await reached(client, 'open');
    const both = await service.connect();
    const ready = new Promise<void>((resolve) => {
      const stop = client.on('ready', () => {
        stop();
        resolve();
      });
    });
    const readyAgain = setInterval(() => void service.notifications.publish('headlines', { type: 'ready' }), 20);
    await ready;
    clearInterval(readyAgain);
    for (let number = 1; number <= 60; number += 1) {
      if (number % 2 === 0) await service.notifications.publish('headlines', { type: 'news', number });
      else await service.notifications.broadcastMessage({ type: 'news', number });
      if (number % 20 === 0) proxy.cut();
    }
    await all;
    both.socket.terminate();
    for (const parity of [0, 1]) {
      const one = got.filter((number) => Number(number) % 2 === parity);
      expect(one).toEqual([...one].sort((a, b) => Number(a) - Number(b)));
      expect(new Set(one).size).toBe(30);
    }
    expect(got).toHaveLength(60);
  });

  it('acknowledges a message after its listener has ended, and not when the listener throws', async () => {
    const client = open({ userId: 'acks' });
    let isFull = true;
    client.on('letter', () => {
      if (isFull) throw new Error('the disk is full');
    });
    await reached(client, 'open');
    const first = await service.notifications.sendToUser('acks', { type: 'letter' }, { requiresAck: true, ackTimeoutMs: 300 });
    expect(first.acknowledged).toBe(false);
    expect(errors[0]).toMatchObject({ message: 'the disk is full' });
    isFull = false;
    proxy.cut();
    const second = await service.notifications.sendToUser('acks', { type: 'letter' }, { requiresAck: true, ackTimeoutMs: 8000 });
    expect(second.acknowledged).toBe(true);
  });

  it('rejects what waits when it is closed, and stays closed', async () => {
    const client = open({ userId: 'end' });
    await reached(client, 'open');
    await proxy.refuse();
    proxy.cut();
    await reached(client, 'waiting');
    const answered = client.confirmations.answer('none', { proceed: true });
    client.close();
    await expect(answered).rejects.toBeInstanceOf(ClientClosedError);
    expect(client.state).toMatchObject({ status: 'closed' });
  });

  it('cancels a task of its user', async () => {
    const client = open({ userId: 'canceller' });
    const asked = service.notifications.notifyUser({ message: 'Go on?' }, 'canceller', 'long-task', 1);
    await snapshot(client, (list) => list.length === 1);
    await client.cancel('long-task', 'not needed');
    expect(await asked).toMatchObject({ outcome: 'cancelled', proceed: false });
  });
});

describe('a client with a token', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({
      environment: JWT_SETTINGS,
    });
  });
  afterAll(() => service.stop());

  it('authenticates, renews its token before it ends, and keeps its connection', async () => {
    let tokens = 0;
    const client = connect(`${service.wsUrl}/ws`, {
      WebSocket: Socket,
      token: () => tokenOf('eve', { lives: ++tokens === 1 ? 2 : 60 }),
    });
    const states: string[] = [];
    client.onState(({ status }) => states.push(status));
    try {
      client.onConfirmation(() => ({ proceed: true }));
      const first = await service.notifications.notifyUser({ message: 'One?' }, 'eve', 'task-eve', 1);
      expect(first).toMatchObject({ proceed: true, answeredBy: 'eve' });
      while (tokens < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      const second = await service.notifications.notifyUser({ message: 'Two?' }, 'eve', 'task-eve', 2);
      expect(second.proceed).toBe(true);
      expect(states).not.toContain('waiting');
    } finally {
      client.close();
    }
  });
});

describe('a client and a close code', () => {
  let server: WebSocketServer;
  let url: string;
  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

  const closedWith = async (code: number): Promise<ConnectionState> => {
    server.on('connection', (socket) => socket.close(code));
    const client = connect(url, { WebSocket: Socket, userId: 'ann' });
    const state = await new Promise<ConnectionState>((resolve) => {
      client.onState((next) => {
        if (next.status === 'waiting' || next.status === 'closed') resolve(next);
      });
    });
    client.close();
    return state;
  };

  it.each([4509, 4500, 4999])('stays away after %d', async (code) => {
    expect(await closedWith(code)).toEqual({ status: 'closed', reason: String(code), code });
  });

  it.each([1001, 1011, 1012, 1013, 4401, 4408])('reconnects after %d', async (code) => {
    expect(await closedWith(code)).toMatchObject({ status: 'waiting', reason: String(code), code });
  });
});
