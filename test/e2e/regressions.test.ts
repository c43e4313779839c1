/** Faults that were there once, each through real sockets. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { startProcess } from '../support/process.js';
import type { TestClient } from '../support/client.js';
import { startService, type TestService } from '../support/service.js';

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

describe('a refused upgrade', () => {
  it('whose peer resets does not end the process', async () => {
    const service = await startProcess();
    for (let count = 0; count < 50; count += 1) {
      const socket = connectTcp(service.port, '127.0.0.1');
      await once(socket, 'connect');
      await new Promise<void>((written) => socket.write(handshake('/nowhere'), () => written()));
      socket.resetAndDestroy();
    }
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    await service.stop();
  });
});

describe('a flood', () => {
  it('that goes on is closed with 1008, however the tokens trickle in', async () => {
    const service = await startService({ environment: { WEBSOCKET_RATE_LIMIT: '200', WEBSOCKET_RATE_BURST: '1' } });
    const client = await service.connect();
    let open = true;
    const closed = client.closed().finally(() => (open = false));
    let replies = 0;
    // One at a time: each waits for its answer, so that a token is there again after a few.
    for (; open && replies < 5000; replies += 1) {
      client.send({ action: 'ping' });
      await Promise.race([once(client.socket, 'message'), closed]);
    }
    expect(replies).toBeLessThan(5000);
    expect(await closed).toEqual({ code: 1008, reason: 'rate limit exceeded' });
    await service.stop();
  });
});

describe('subscribing', () => {
  const epochOf = async (service: TestService, channel: string): Promise<string> =>
    String((await (await service.connect()).request({ action: 'subscribe', channel }))['epoch']);
  const offsets = (client: TestClient, channel: string): unknown[] =>
    client.received
      .filter((frame) => frame['channel'] === channel && frame['offset'] !== undefined && frame.type === 'news')
      .map(({ offset }) => offset);
  const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it.each([
    ['an anonymous connection that says who it is', false],
    ['a user who says so again', true],
  ])('by %s repeats no message that is published meanwhile, and loses none', async (_who, twice) => {
    for (let round = 0; round < 20; round += 1) {
      const user = `reader-${String(twice)}-${round}`;
      const client = twice ? await service.connectAs(user) : await service.connect();
      const sent: Promise<unknown>[] = [];
      for (let count = 0; count < 30; count += 1) {
        sent.push(service.notifications.sendToUser(user, { type: 'news' }));
        if (count === 5) client.send({ action: 'subscribe', user_id: user });
        if (count % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(sent);
      await service.notifications.sendToUser(user, { type: 'last' });
      await client.next('last');
      expect(offsets(client, `user:${user}`)).toEqual(upTo(30));
    }
  });

  it('twice at once serves the one that recovers, whichever comes first', async () => {
    for (const recoverFirst of [true, false]) {
      const channel = `twice-${String(recoverFirst)}`;
      const epoch = await epochOf(service, channel);
      for (let count = 0; count < 250; count += 1) await service.notifications.publish(channel, { type: 'news' });
      const client = await service.connect();
      const frames = [
        { action: 'subscribe', channel, recover: { epoch, offset: 0 } },
        { action: 'subscribe', channel },
      ];
      for (const frame of recoverFirst ? frames : frames.reverse()) client.send(frame);
      expect(await client.next('recovered')).toMatchObject({ channel, recovered: true, offset: 250 });
      expect(offsets(client, channel)).toEqual(upTo(250));
      await service.notifications.publish(channel, { type: 'news' });
      expect(await client.next({ type: 'news', offset: 251 })).toMatchObject({ channel });
    }
  });

  it('and unsubscribing in the middle of the recovery shows nothing after the reply', async () => {
    const channel = 'cut-short';
    const epoch = await epochOf(service, channel);
    for (let count = 0; count < 500; count += 1) await service.notifications.publish(channel, { type: 'news' });
    const client = await service.connect();
    client.send({ action: 'subscribe', channel, recover: { epoch, offset: 0 } });
    client.send({ action: 'unsubscribe', channel });
    await client.next('unsubscribed');
    const before = client.received.length;
    await client.settled();
    await client.settled();
    expect(client.received.slice(before).filter(({ type }) => type !== 'pong')).toEqual([]);
  });

  it('by a token in the handshake counts in the presence and in the limit of the user', async () => {
    const secure = await startService({
      options: { maxConnectionsPerUser: 1, authenticator: { authenticate: async (token) => ({ userId: token }) } },
    });
    const authorised = { headers: { authorization: 'Bearer ann' } };
    await secure.notifications.openConfirmation({ stepResult: { message: 'ready?' }, userId: 'ann', taskId: 'task', step: 1 });
    const first = await secure.connect(authorised);
    await first.next({ redelivered: true });
    expect(await secure.notifications.presence('ann')).toEqual({ connections: 1 });
    const second = await secure.connect(authorised);
    expect(await first.closed()).toEqual({ code: 4509, reason: 'replaced' });
    await second.next({ redelivered: true });
    expect(await secure.notifications.presence('ann')).toEqual({ connections: 1 });
    await secure.stop();
  });

  it('names no user whose name is empty', async () => {
    const client = await service.connect();
    for (const channel of ['user:', 'task:'])
      expect(await client.request({ action: 'subscribe', channel })).toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { channel: expect.any(String) },
      });
  });

  it('with a recover of null asks for no recovery', async () => {
    const client = await service.connect();
    await client.request({ action: 'subscribe', channel: 'quiet', recover: null });
    await client.settled();
    expect(client.pendingFrames('recovered')).toEqual([]);
  });
});
