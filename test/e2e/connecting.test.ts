/** Connecting (PROTOCOL.md): paths, subprotocols, limits, liveness, the authentication hook, draining. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { AuthenticatedUser, Authenticator } from '../../src/notification/index.js';
import { TestClient } from '../support/client.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
afterEach(() => service.stop());

describe('the endpoint', () => {
  it.each(['/ws', '/ws/', '/', '/ws?x=1'])('serves %s', async (path) => {
    service = await startService();
    const client = await service.connect({}, path);
    await client.settled();
    expect(client.received.map(({ type }) => type)).toEqual(['pong']);
  });

  it.each(['/wss', '/ws/x', '/other'])('answers %s with 404 before the upgrade', async (path) => {
    service = await startService();
    await expect(service.connect({}, path)).rejects.toMatchObject({ status: 404 });
  });

  it('selects notification.v1 where it is offered, and echoes nothing else', async () => {
    service = await startService();
    expect((await service.connect({ protocols: ['bearer.secret', 'notification.v1'] })).socket.protocol).toBe('notification.v1');
    expect((await service.connect()).socket.protocol).toBe('');
  });

  it('runs on a ws that a client which never reads does not drive to gigabytes', async () => {
    service = await startService();
    const { createRequire } = await import('node:module');
    const require = createRequire(createRequire(import.meta.url).resolve('@nestjs/platform-ws'));
    for (const load of [require, createRequire(import.meta.url)]) {
      const { version } = load('ws/package.json') as { version: string };
      expect(version.localeCompare('8.23.0', undefined, { numeric: true })).toBeGreaterThanOrEqual(0);
    }
  });

  it('compresses for every client that offers it, with the same frame for all', async () => {
    service = await startService();
    const [plain, deflated, small] = [
      await service.connect({ perMessageDeflate: false }),
      await service.connect({ perMessageDeflate: true }),
      await service.connect({ perMessageDeflate: { serverMaxWindowBits: 9 } }),
    ];
    expect(deflated.socket.extensions).toContain('permessage-deflate');
    expect(small.socket.extensions).toBe('');
    for (let round = 0; round < 3; round += 1) {
      await service.notifications.broadcastMessage({ type: 'big', text: 'lorem '.repeat(5000), round });
      for (const client of [plain, deflated, small])
        expect(await client.next('big')).toMatchObject({ text: 'lorem '.repeat(5000), round });
    }
  });

  it('offers no compression when it is switched off', async () => {
    service = await startService({ environment: { WEBSOCKET_COMPRESSION: 'off' } });
    expect((await service.connect({ perMessageDeflate: true })).socket.extensions).toBe('');
  });
});

describe('limits', () => {
  it('accepts a connection over the limit, then closes it with 1013', async () => {
    service = await startService({ environment: { WEBSOCKET_MAX_CONNECTIONS: '2' } });
    const first = await service.connect();
    await service.connect();
    const third = await service.connect();
    expect(await third.closed()).toEqual({ code: 1013, reason: 'Server connection limit reached' });
    await first.settled();
    await first.close();
    const fourth = await service.connect();
    await fourth.settled();
  });

  it('closes the user’s oldest connection over the per-user limit', async () => {
    service = await startService({ environment: { WEBSOCKET_MAX_CONNECTIONS_PER_USER: '1' } });
    const old = await service.connectAs('alice');
    const other = await service.connectAs('bob');
    const young = await service.connectAs('alice');
    expect(await old.closed()).toEqual({ code: 4509, reason: 'replaced' });
    await other.settled();
    await young.settled();
    expect((await service.notifications.presence('alice')).connections).toBe(1);
  });

  it('forgets connections that are gone', async () => {
    service = await startService();
    const client = await service.connectAs('alice');
    await client.close();
    while (service.notifications.getConnectionCount() > 0) await new Promise((resolve) => setImmediate(resolve));
    while ((await service.notifications.presence('alice')).connections > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('liveness', () => {
  it('terminates a peer that does not answer a ping, and keeps one that does', async () => {
    service = await startService({ environment: { WEBSOCKET_PING_INTERVAL: '0.2', WEBSOCKET_PING_TIMEOUT: '0.3' } });
    const silent = await service.connect({ autoPong: false });
    const alive = await service.connect();
    expect((await silent.closed()).code).toBe(1006);
    await alive.settled();
    expect(service.notifications.getConnectionCount()).toBe(1);
  });
});

describe('the authentication hook', () => {
  const TOKEN = 'valid-token';

  class TokenCheck implements Authenticator {
    calls = 0;
    release!: () => void;
    private readonly held = new Promise<void>((resolve) => (this.release = resolve));
    constructor(private readonly hold = false) {}

    async authenticate(token: string): Promise<AuthenticatedUser | undefined> {
      this.calls += 1;
      if (this.hold) await this.held;
      return token === TOKEN ? { userId: 'alice' } : undefined;
    }
  }

  it('refuses a bad token with 401 before the 101, and takes a good one by header or subprotocol', async () => {
    service = await startService({ options: { authenticator: new TokenCheck() } });
    await expect(service.connect({ headers: { authorization: 'Bearer nope' } })).rejects.toMatchObject({ status: 401 });
    await expect(service.connect({ protocols: ['notification.v1', 'bearer.nope'] })).rejects.toMatchObject({ status: 401 });
    const byHeader = await service.connect({ headers: { authorization: `Bearer ${TOKEN}` } });
    const byProtocol = await service.connect({ protocols: [`bearer.${TOKEN}`, 'notification.v1'] });
    expect(byProtocol.socket.protocol).toBe('notification.v1');
    const asked = service.notifications.notifyUser({ message: '?' }, 'alice', 'task', 1);
    const { callback_id } = await byHeader.next('task_step_result');
    await byProtocol.next('task_step_result');
    await byHeader.request({ action: 'confirm', callback_id, proceed: true });
    expect((await asked).answeredBy).toBe('alice');
  });

  it('serves nothing before it has said yes, not even a frame in the segment of the handshake', async () => {
    const check = new TokenCheck(true);
    service = await startService({ options: { authenticator: check } });
    const socket = connectTcp(service.port, '127.0.0.1');
    const frame = '{"action":"ping"}';
    socket.write(
      Buffer.concat([
        Buffer.from(
          `GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
        ),
        Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]),
        Buffer.from(frame),
      ]),
    );
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    while (check.calls === 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await service.rest('GET', '/health/live')).status).toBe(200);
    expect(received).toBe('');
    expect(service.notifications.getConnectionCount()).toBe(0);
    check.release();
    while (!received.includes('pong')) await once(socket, 'data');
    socket.destroy();
  });

  it('lets a connection without a token only authenticate, and closes it with 4401 in time', async () => {
    service = await startService({ options: { authenticator: new TokenCheck(), authenticationTimeoutMs: 300 } });
    const [idle, eager] = [await service.connect(), await service.connect()];
    expect(await eager.request({ action: 'ping' })).toMatchObject({ type: 'error', code: 'UNAUTHENTICATED' });
    expect(await eager.request({ action: 'authenticate', token: 'nope' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await eager.request({ action: 'authenticate', token: TOKEN })).toMatchObject({
      type: 'authenticated',
      user_id: 'alice',
      expires_at: null,
    });
    expect(await idle.closed()).toMatchObject({ code: 4401 });
    await eager.settled();
  });

  it('lets no user act as another, and hides what belongs to another', async () => {
    service = await startService({ options: { authenticator: new TokenCheck() } });
    const alice = await service.connect({ headers: { authorization: `Bearer ${TOKEN}` } });
    service.ask({ message: '?' }, 'bob', 'bobs-task', 1);
    const { items } = await service.notifications.listConfirmations({ limit: 1 });
    const callbackId = items[0]?.callbackId;
    expect(await alice.request({ action: 'subscribe', user_id: 'bob' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await alice.request({ action: 'subscribe', channel: 'user:bob' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await alice.request({ action: 'subscribe', channel: 'news' })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await alice.request({ action: 'subscribe', task_id: 'bobs-task' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await alice.request({ action: 'cancel', user_id: 'alice', task_id: 'bobs-task' })).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await alice.request({ action: 'confirm', callback_id: callbackId, proceed: true })).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect((await alice.request({ action: 'pending' }))['confirmations']).toEqual([]);
    expect((await service.rest('GET', '/ws/status')).status).toBe(401);
    expect((await service.rest('GET', '/health/live')).status).toBe(200);
  });
});

describe('draining', () => {
  it('turns ready red, answers the frame in work, and closes everybody with 1012', async () => {
    service = await startService();
    const user = await service.connectAs('alice');
    const watcher = await service.connect();
    const waiting = service.notifications.notifyUser({ message: '?' }, 'alice', 'task', 1);
    const rejected = expect(waiting).rejects.toMatchObject({ name: 'ServiceClosedError' });
    user.send({ action: 'pending', request_id: 'last' });
    await service.rest('GET', '/health/live');
    const stopped = service.notifications.stopServer();
    const refused = await TestClient.connect(`${service.wsUrl}/ws`).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 503 });
    expect(await service.rest('GET', '/health/ready')).toMatchObject({ status: 503, body: { reason: 'draining' } });
    await stopped;
    expect(await user.next({ request_id: 'last' })).toMatchObject({ type: 'pending' });
    expect(await user.closed()).toEqual({ code: 1012, reason: 'service restart' });
    expect(await watcher.closed()).toEqual({ code: 1012, reason: 'service restart' });
    await service.notifications.startServer();
    const back = await service.connectAs('alice');
    await back.next({ type: 'task_step_result', redelivered: true });
    await service.app.close();
    await rejected;
    await back.closed();
  });
});
