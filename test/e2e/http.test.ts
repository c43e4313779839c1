/** What every HTTP answer has in common: headers, errors, upgrades, bounds. Over real sockets. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { bareRequest, HANDSHAKE } from '../support/bare-http.js';
import { SECRET, tokenOf } from '../support/jwt.js';
import { startNginx } from '../support/nginx.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { TcpExchange } from '../support/tcp-exchange.js';

const API_KEY = 'a-key-of-the-service';
const SECURE = {
  WEBSOCKET_AUTH: 'jwt',
  WEBSOCKET_JWT_SECRET: SECRET,
  WEBSOCKET_API_KEYS: API_KEY,
  WEBSOCKET_AUTH_FAILURES: '1000',
};
const PROBLEM = 'application/problem+json';

let service: TestService;
let secure: TestService;
beforeAll(async () => {
  service = await startService();
  secure = await startService({ environment: SECURE });
});
afterAll(async () => {
  await service.stop();
  await secure.stop();
});

/** A POST that an HTTP client with support for HTTP/2 sends over plain TCP. */
const withUpgrade = (port: number, upgrade: string, body: string): string =>
  [
    'POST /ws/broadcast HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade, HTTP2-Settings',
    `Upgrade: ${upgrade}`,
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');

describe('a plain request to the WebSocket’s path', () => {
  it.each([
    ['GET', '/ws'],
    ['GET', '/ws/'],
    ['GET', '/ws?token=x'],
    ['GET', '/'],
    ['POST', '/ws'],
    ['DELETE', '/ws/'],
  ])('gets 426 and the protocol to upgrade to: %s %s', async (method, path) => {
    const { status, headers, text } = await bareRequest({ port: service.port, method, path });
    expect({ status, upgrade: headers.upgrade }).toEqual({ status: 426, upgrade: 'websocket' });
    expect(JSON.parse(text)).toEqual({ code: 'INVALID_MESSAGE', message: expect.any(String) });
  });

  it('gets 404 on any other path, and so does an upgrade', async () => {
    for (const headers of [{}, HANDSHAKE]) {
      const { status, text } = await bareRequest({ port: service.port, path: '/wss', headers });
      expect(status).toBe(404);
      expect(JSON.parse(text)).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('a request that asks for another protocol than WebSocket', () => {
  it.each(['h2c', 'H2C', 'TLS/1.2', 'h2c, websocket'])('is served as a plain request: %s', async (upgrade) => {
    const client = await service.connect();
    const exchange = await TcpExchange.open(service.port);
    const big = JSON.stringify({ type: 'note', upgrade, text: 'x'.repeat(100_000) });
    exchange.write(withUpgrade(service.port, upgrade, big));
    expect(await exchange.until(/delivered_to/)).toMatch(/^HTTP\/1\.1 202 /);
    expect(await client.next({ type: 'note', upgrade })).toMatchObject({ upgrade });
    // The connection is kept, and goes on as any other.
    exchange.write(withUpgrade(service.port, upgrade, '{"type":"note","second":true}'));
    await client.next({ type: 'note', second: true });
    exchange.socket.destroy();
  });

  it('is checked like any other: page, key, path', async () => {
    const request = { method: 'POST', path: '/ws/broadcast', body: '{"type":"note"}' };
    const headers = { connection: 'Upgrade', upgrade: 'h2c', 'content-type': 'application/json' };
    const statusOf = async (port: number, more: object): Promise<number> =>
      (await bareRequest({ ...request, port, headers: { ...headers, ...more } })).status;
    expect(await statusOf(service.port, { origin: 'https://evil.example' })).toBe(403);
    expect(await statusOf(secure.port, {})).toBe(401);
    expect(await statusOf(secure.port, { 'x-api-key': API_KEY })).toBe(202);
    expect((await bareRequest({ port: service.port, path: '/ws', headers })).status).toBe(426);
  });
});

requireBinary('nginx')('behind deploy/nginx.conf', () => {
  it('is served as a plain request when it asks for h2c', async () => {
    const nginx = await startNginx({ upstreams: [`127.0.0.1:${service.port}`] });
    const port = Number(new URL(nginx.url).port);
    const exchange = await TcpExchange.open(port);
    exchange.write(withUpgrade(port, 'h2c', '{"type":"note"}'));
    expect(await exchange.until(/delivered_to/)).toMatch(/^HTTP\/1\.1 202 /);
    exchange.socket.destroy();
    const upgraded = await bareRequest({ port, path: '/ws', headers: HANDSHAKE });
    expect(upgraded.status).toBe(101);
    expect((await bareRequest({ port, path: '/ws' })).status).toBe(426);
    await nginx.stop();
  });
});

describe('an answer', () => {
  it.each(['/ws/status', '/ws/confirmations/unknown', '/nowhere', '/ws', '/health/live', '/metrics', '/docs', '/docs-json'])(
    'forbids caching, sniffing and framing: %s',
    async (path) => {
      const { headers } = await bareRequest({ port: service.port, path });
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      });
    },
  );

  it('says how long its connection is kept: longer than balancers keep theirs, or as set', async () => {
    const kept = await bareRequest({ port: service.port, path: '/health/live', headers: { connection: 'keep-alive' } });
    expect(kept.headers['keep-alive']).toMatch(/timeout=65/);
    const other = await startService({ environment: { WEBSOCKET_KEEP_ALIVE: '120' } });
    const longer = await bareRequest({ port: other.port, path: '/health/live', headers: { connection: 'keep-alive' } });
    expect(longer.headers['keep-alive']).toMatch(/timeout=120/);
    await other.stop();
  });
});

describe('the API’s description', () => {
  it.each([
    ['open mode', {}, 200],
    ['open mode that switches it off', { WEBSOCKET_DOCS: 'off' }, 404],
    ['secure mode', SECURE, 404],
    ['secure mode that switches it on', { ...SECURE, WEBSOCKET_DOCS: 'on' }, 200],
  ])('has the expected status in %s', async (_mode, environment, status) => {
    const started = await startService({ environment });
    for (const path of ['/docs', '/docs/openapi.json', '/docs-json'])
      expect((await bareRequest({ port: started.port, path })).status).toBe(status);
    await started.stop();
  });
});

describe('an error', () => {
  const requests: [string, Parameters<typeof bareRequest>[0], number][] = [
    ['an unknown route', { port: 0, path: '/nowhere' }, 404],
    ['an unknown thing', { port: 0, path: '/ws/confirmations/unknown' }, 404],
    ['a foreign page', { port: 0, path: '/ws/status', headers: { origin: 'https://evil.example' } }, 403],
    ['a path that cannot be decoded', { port: 0, path: '/ws/tasks/%E0%A4%A' }, 400],
    ['a plain request of an upgrade', { port: 0, path: '/ws' }, 426],
    [
      'a body that is no JSON',
      { port: 0, method: 'POST', path: '/ws/broadcast', headers: { 'content-type': 'application/json' }, body: '{' },
      400,
    ],
  ];

  it.each(requests)('has the service’s shape on %s', async (_what, request, status) => {
    const answer = await bareRequest({ ...request, port: service.port });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    const body = JSON.parse(answer.text) as object;
    expect(body).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), message: expect.any(String) });
    expect(body).not.toHaveProperty('title');
  });

  it.each(requests)('has the members of RFC 9457 for a client that accepts them, on %s', async (_what, request, status) => {
    const headers = { ...request.headers, accept: `application/json, ${PROBLEM};q=0.9` };
    const answer = await bareRequest({ ...request, port: service.port, headers });
    expect(answer.headers['content-type']).toBe(PROBLEM);
    const { message, ...body } = JSON.parse(answer.text) as Record<string, unknown>;
    expect(body).toMatchObject({ type: 'about:blank', title: expect.any(String), status, detail: message });
  });

  it.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['two lengths', 'POST /ws/broadcast HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('has the service’s shape also for what is %s', async (_what, bytes, status) => {
    const exchange = await TcpExchange.open(service.port);
    const answer = await exchange.write(bytes).closed();
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'INVALID_MESSAGE' });
  });

  it('has the service’s shape in a handshake', async () => {
    const headers = { ...HANDSHAKE, authorization: 'Bearer nonsense' };
    const refused = await bareRequest({ port: secure.port, path: '/ws', headers });
    expect(refused.status).toBe(401);
    expect(JSON.parse(refused.text)).toEqual({ code: 'UNAUTHENTICATED', message: 'invalid token' });
  });
});

describe('a body that nobody may send', () => {
  const unfinished = (port: number, more: string, length = 1_000_000): string =>
    `POST /ws/confirmations HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n${more}Content-Length: ${length}\r\n\r\n{"user_id":`;

  it.each([
    ['no key', ''],
    ['a wrong key', 'X-API-Key: some-other-key-of-nobody\r\n'],
    ['a wrong token', 'Authorization: Bearer nonsense\r\n'],
    ['a foreign origin', `X-API-Key: ${API_KEY}\r\nOrigin: https://evil.example\r\n`],
  ])('gets its answer at once, and the connection is closed: with %s', async (_what, more) => {
    const exchanges = await Promise.all(Array.from({ length: 20 }, () => TcpExchange.open(secure.port)));
    for (const exchange of exchanges) exchange.write(unfinished(secure.port, more));
    for (const exchange of exchanges) expect(await exchange.closed()).toMatch(/^HTTP\/1\.1 40[13] .*\r\n[^]*Connection: close/i);
  });

  it('is read for a moment longer, so that a client that goes on sending sees why', async () => {
    const response = await fetch(`${secure.url}/ws/confirmations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'some-other-key-of-nobody' },
      body: JSON.stringify({ text: 'x'.repeat(900_000) }),
    });
    expect(response.status).toBe(401);
  });

  it('is refused with 503 above the bound of one network, and accepted again when the others have ended', async () => {
    const key = `X-API-Key: ${API_KEY}\r\n`;
    const held = await Promise.all(Array.from({ length: 17 }, () => TcpExchange.open(secure.port)));
    for (const exchange of held) exchange.write(unfinished(secure.port, key, 1024 * 1024));
    const refused = await Promise.race(held.map((exchange) => exchange.until(/BUSY/)));
    expect(refused).toMatch(/^HTTP\/1\.1 503 [^]*Retry-After: \d/i);
    const send = async (): Promise<number> =>
      (await secure.rest('POST', '/ws/broadcast', { type: 'note', text: 'x'.repeat(100_000) }, { 'x-api-key': API_KEY })).status;
    expect(await send()).toBe(503);
    for (const exchange of held) exchange.socket.destroy();
    while ((await send()) !== 202);
  });
});

describe('requests of one connection', () => {
  it('are served one after the other, and answered in order', async () => {
    const exchange = await TcpExchange.open(service.port);
    const paths = Array.from({ length: 50 }, (_, index) => `/ws/confirmations/unknown-${index}`);
    exchange.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''));
    exchange.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const statuses = (await exchange.closed()).match(/HTTP\/1\.1 \d+/g);
    expect(statuses).toEqual([...paths.map(() => 'HTTP/1.1 404'), 'HTTP/1.1 200']);
  });

  it('cut their connection when too many wait', async () => {
    const asked = { userId: 'u', taskId: 't', step: 1, stepResult: { message: '?' } };
    const { confirmation } = await service.notifications.openConfirmation(asked);
    const exchange = await TcpExchange.open(service.port);
    exchange.write(`GET /ws/confirmations/${confirmation.callbackId}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(150));
    expect(await exchange.closed()).toBe('');
  });
});

describe('connections that go while requests wait on them', () => {
  it('leave nothing behind that counts towards the bound on requests', async () => {
    const asked = { userId: 'u', taskId: 't', step: 1, stepResult: { message: '?' } };
    const { confirmation } = await service.notifications.openConfirmation(asked);
    const poll = `GET /ws/confirmations/${confirmation.callbackId}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    for (let round = 0; round < 11; round += 1) {
      const exchanges = await Promise.all(Array.from({ length: 10 }, () => TcpExchange.open(service.port)));
      for (const exchange of exchanges) exchange.write(poll.repeat(101));
      await bareRequest({ port: service.port, path: '/health/live' });
      for (const exchange of exchanges) exchange.socket.destroy();
    }
    expect((await bareRequest({ port: service.port, path: '/ws/status' })).status).toBe(200);
  });
});

describe('a response that is not read', () => {
  const FIELD = 100_000;
  const COUNT = 45;
  let crowded: TestService;
  beforeAll(async () => {
    crowded = await startService();
    for (let step = 1; step <= COUNT; step += 1)
      await crowded.notifications.openConfirmation({
        userId: 'ann',
        taskId: 't',
        step,
        stepResult: { message: '?', result: { text: 'x'.repeat(FIELD) } },
      });
  });
  afterAll(() => crowded.stop());

  it('is a page bounded in bytes; all pages together hold everything once', async () => {
    const steps: number[] = [];
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({ limit: '1000', ...(cursor !== undefined && { cursor }) });
      const { text } = await bareRequest({ port: crowded.port, path: `/ws/users/ann/confirmations?${query.toString()}` });
      expect(text.length).toBeLessThan(1024 * 1024 + 20 * (FIELD + 1000));
      const page = JSON.parse(text) as { confirmations: { step: number }[]; cursor?: string };
      steps.push(...page.confirmations.map(({ step }) => step));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(steps).toEqual(Array.from({ length: COUNT }, (_, index) => index + 1));
  });

  it('holds up the ones behind it on its connection: one waits, however many were asked for', async () => {
    const sockets: Socket[] = [];
    (crowded.app.getHttpServer() as Server).once('connection', (socket: Socket) => sockets.push(socket));
    const exchange = await TcpExchange.open(crowded.port);
    exchange.socket.pause();
    while (sockets.length === 0) await bareRequest({ port: crowded.port, path: '/health/live' });
    const [socket] = sockets;
    if (!socket) throw new Error('no connection');
    socket.cork(); // as if the kernel's buffers were full already
    exchange.write('GET /ws/users/ann/confirmations?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(60));
    while (socket.writableLength === 0) await bareRequest({ port: crowded.port, path: '/ws/users/ann/confirmations?limit=1' });
    for (let round = 0; round < 10; round += 1)
      await bareRequest({ port: crowded.port, path: '/ws/users/ann/confirmations?limit=20' });
    expect(socket.writableLength).toBeLessThan(2 * (1024 * 1024 + 20 * (FIELD + 1000)));
    exchange.socket.destroy();
  });
});

describe('a subprotocol of the application’s own', () => {
  it('is selected when it is an option and offered, after the protocol’s own name, and never carries a token', async () => {
    const started = await startService({ environment: SECURE, options: { subprotocols: ['chat.v2', 'chat.v1'] } });
    const selected = async (offered: string[]): Promise<string> =>
      (await started.connect({ protocols: offered, headers: { authorization: `Bearer ${await tokenOf('ann')}` } })).socket
        .protocol;
    expect(await selected(['chat.v1'])).toBe('chat.v1');
    expect(await selected(['chat.v1', 'chat.v2'])).toBe('chat.v2');
    expect(await selected(['chat.v1', 'notification.v1'])).toBe('notification.v1');
    expect(await selected(['chat.v1', `bearer.${await tokenOf('ann')}`])).toBe('chat.v1');
    await started.stop();
  });

  it.each([['bearer.x'], ['Bearer.x'], ['two words'], ['']])('cannot be %p', async (name) => {
    await expect(startService({ options: { subprotocols: [name] } })).rejects.toThrow('option subprotocols');
  });
});
