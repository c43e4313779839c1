/** What one identity may send, over its sockets and REST calls, and what a connection may before it has one. */
import type { AuditEntry, NotificationOptions } from '../../src/notification/index.js';
import type { TestClient } from '../support/client.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { maskedFrame, OPCODE, RawClient } from '../support/raw-client.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-service';
const SECURE = {
  ...JWT_SETTINGS,
  WEBSOCKET_API_KEYS: KEY,
};

let service: TestService;
afterEach(() => service.stop());

const start = async (environment: Record<string, string>, options: NotificationOptions = {}): Promise<TestService> =>
  (service = await startService({ environment, options }));
const bearer = async (userId: string): Promise<Record<string, string>> => ({ authorization: `Bearer ${await tokenOf(userId)}` });
const connectAs = async (userId: string): Promise<TestClient> => service.connect({ headers: await bearer(userId) });

/** Sends pings one after the other until one is refused. @returns how many were answered */
async function pingsUntilRefused(client: TestClient, most = 1000): Promise<number> {
  for (let answered = 0; answered < most; answered += 1) {
    client.send({ action: 'ping', request_id: answered });
    const reply = await client.next((frame) => frame['request_id'] === answered || frame['code'] === 'RATE_LIMITED');
    if (reply['code'] === 'RATE_LIMITED') return answered;
  }
  return most;
}

async function callsUntilRefused(
  headers: Record<string, string>,
  most = 1000,
): Promise<{ answered: number; retryAfter: number }> {
  for (let answered = 0; answered < most; answered += 1) {
    const response = await service.rest('GET', '/ws/users/ann', undefined, headers);
    if (response.status !== 429) continue;
    expect(response.body).toMatchObject({ code: 'RATE_LIMITED' });
    return { answered, retryAfter: Number(response.headers.get('retry-after')) };
  }
  return { answered: most, retryAfter: 0 };
}

describe('the budget of a user', () => {
  const LIMITS = { ...SECURE, WEBSOCKET_RATE_LIMIT: '1', WEBSOCKET_RATE_BURST: '40' };

  it('covers all of the user’s sockets and REST calls, and a reconnect does not renew it', async () => {
    await start(LIMITS);
    const [first, second] = [await connectAs('ann'), await connectAs('ann')];
    expect(await pingsUntilRefused(first, 15)).toBe(15);
    expect(await pingsUntilRefused(second, 15)).toBe(15);
    const { answered, retryAfter } = await callsUntilRefused(await bearer('ann'));
    expect(answered).toBeGreaterThanOrEqual(10);
    expect(answered).toBeLessThan(25);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    await first.close();
    const again = await connectAs('ann');
    expect(await pingsUntilRefused(again)).toBeLessThan(15);
    // Others have budgets of their own, from the same address.
    expect(await pingsUntilRefused(await connectAs('bob'), 20)).toBe(20);
    expect((await callsUntilRefused({ 'x-api-key': KEY }, 20)).answered).toBe(20);
  });

  it('is one for an API key, and one for the callers at an address that give no valid token', async () => {
    await start(LIMITS);
    const calls = await callsUntilRefused({ 'x-api-key': KEY });
    expect(calls.answered).toBeGreaterThanOrEqual(40);
    expect(calls.retryAfter).toBeGreaterThanOrEqual(1);
    expect((await callsUntilRefused({})).answered).toBeGreaterThanOrEqual(40);
    expect((await service.rest('GET', '/ws/users/ann', undefined, await bearer('ann'))).status).toBe(200);
  });
});

describe('the budget of an address in open mode', () => {
  it('covers its REST calls and anonymous sockets, over reconnects, and still serves one that sends little', async () => {
    await start({ WEBSOCKET_RATE_LIMIT: '1', WEBSOCKET_RATE_BURST: '100' });
    const quiet = await service.connect();
    expect(await pingsUntilRefused(await service.connect(), 60)).toBe(60);
    const { answered, retryAfter } = await callsUntilRefused({});
    expect(answered).toBeGreaterThanOrEqual(40);
    expect(answered).toBeLessThan(60);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    await quiet.settled();
    // What a new connection gets beside the budget is a tenth of it at most.
    expect(await pingsUntilRefused(await service.connect())).toBeLessThan(30);
    await quiet.settled();
  });

  it('bounds the users that a client may name for itself', async () => {
    await start({ WEBSOCKET_RATE_LIMIT: '1', WEBSOCKET_RATE_BURST: '10' });
    let total = 0;
    for (let user = 0; user < 30; user += 1) {
      const client = await service.connect();
      await client.request({ action: 'subscribe', user_id: `user-${user}` });
      total += await pingsUntilRefused(client);
      client.socket.terminate();
    }
    expect(total).toBeLessThan(200);
  });
});

describe('a connection without a token', () => {
  it('is closed with 4401 after the third refusal', async () => {
    await start(SECURE);
    const client = await service.connect();
    for (const action of ['ping', 'confirm', 'nonsense', 'ping', 'ping']) client.sendUnchecked({ action });
    expect(await client.closed()).toEqual({ code: 4401, reason: 'unauthenticated' });
    expect(client.received.map(({ code }) => code)).toEqual(Array(3).fill('UNAUTHENTICATED'));
  });

  it('may send ten frames, garbage, pings and pongs alike, and no more', async () => {
    await start(SECURE);
    const flood = async (opcode: number, content: string): Promise<void> => {
      const client = await RawClient.connect({ port: service.port });
      client.write(Buffer.concat(Array.from({ length: 50 }, () => maskedFrame(opcode, content))));
      await client.closed();
      expect(client.closeCode).toBe(4401);
      expect(client.payloads.filter(({ code }) => code === 'RATE_LIMITED').length).toBeLessThanOrEqual(3);
      expect(client.payloads.length).toBeLessThanOrEqual(13);
      // Nothing else refuses a ping or a pong: without a limit only the time for a token would end the connection.
      if (opcode !== OPCODE.text) expect(client.payloads.at(-1)).toMatchObject({ code: 'RATE_LIMITED' });
    };
    await Promise.all([flood(OPCODE.text, 'garbage'), flood(OPCODE.ping, 'x'), flood(OPCODE.pong, 'x')]);
  });

  it('may still authenticate after two refusals and some wrong tokens', async () => {
    await start({ ...SECURE, WEBSOCKET_AUTH_FAILURES: '100' });
    const client = await service.connect();
    for (let count = 0; count < 2; count += 1)
      expect(await client.request({ action: 'ping' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    for (let count = 0; count < 5; count += 1)
      expect(await client.request({ action: 'authenticate', token: 'guess' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await client.request({ action: 'authenticate', token: await tokenOf('ann') })).toMatchObject({ user_id: 'ann' });
    await client.settled();
  });

  it('leaves one entry of each kind in the audit trail for refusals that repeat', async () => {
    const entries: AuditEntry[] = [];
    await start(SECURE, { audit: (entry) => entries.push(entry) });
    for (let count = 0; count < 30; count += 1) {
      const client = await service.connect();
      for (let frame = 0; frame < 20; frame += 1) client.send({ action: 'ping' });
      await client.closed();
    }
    expect(entries[0]).toMatchObject({ what: 'ws.ping', code: 'UNAUTHENTICATED' });
    // At most one more, for frames beyond the ten.
    expect(entries.length).toBeLessThanOrEqual(2);
  });

  it('has a tenth as many places, in which the newest replaces the oldest, and takes none from others', async () => {
    await start({ ...SECURE, WEBSOCKET_MAX_CONNECTIONS: '20' }, { authenticationTimeoutMs: 600_000 });
    const users = [await connectAs('ann'), await connectAs('bob')];
    const [oldest, older, ...rest] = await Promise.all(Array.from({ length: 4 }, () => service.connect()));
    const ends = await Promise.all([oldest?.closed(), older?.closed()]);
    expect(ends).toEqual(Array(2).fill({ code: 4401, reason: 'unauthenticated' }));
    for (let count = users.length; count < 20; count += 1) users.push(await connectAs(`user-${count}`));
    expect(await (await connectAs('late')).closed()).toMatchObject({ code: 1013 });
    for (const user of users) await user.settled();
    // Authenticating takes a place of the others.
    const [waiting, another] = rest;
    expect(await waiting?.request({ action: 'authenticate', token: await tokenOf('cid') })).toMatchObject({ code: 'BUSY' });
    expect(await waiting?.closed()).toMatchObject({ code: 1013 });
    await users.pop()?.close();
    expect(await another?.request({ action: 'authenticate', token: await tokenOf('cid') })).toMatchObject({ user_id: 'cid' });
  });
});

describe('protocol-level frames', () => {
  it.each(['ping', 'pong'] as const)(
    'count like others when nobody asked for them (%s): RATE_LIMITED, then 1008',
    async (kind) => {
      await start({ WEBSOCKET_RATE_LIMIT: '20', WEBSOCKET_RATE_BURST: '50' });
      const client = await RawClient.connect({ port: service.port });
      client.write(Buffer.concat(Array.from({ length: 300 }, () => maskedFrame(OPCODE[kind], ''))));
      await client.closed();
      expect(client.closeCode).toBe(1008);
      expect(client.payloads[0]).toMatchObject({ code: 'RATE_LIMITED' });
    },
  );

  it('do not count when they are pongs that answer a ping', async () => {
    await start({ WEBSOCKET_RATE_LIMIT: '1', WEBSOCKET_RATE_BURST: '1', WEBSOCKET_PING_INTERVAL: '0.1' });
    const client = await service.connect();
    for (let pings = 0; pings < 3; pings += 1) await new Promise((resolve) => client.socket.once('ping', resolve));
    expect(client.received).toEqual([]);
  });
});
