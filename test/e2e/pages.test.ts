/**
 * Which web pages may use the service: origins x hosts x ways in, in both modes, over real sockets. A browser sends the
 * page's `Origin` and the name it called as `Host`; the requests here are the same bytes.
 */
import 'reflect-metadata';
import type { Server } from 'node:http';
import { Controller, Get, Post, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { portOf } from '../../src/app/app.js';
import { NotificationModule, NotificationWsAdapter } from '../../src/notification/index.js';
import { bareRequest, HANDSHAKE, type BareAnswer, type BareRequest } from '../support/bare-http.js';
import { SECRET, tokenOf } from '../support/jwt.js';
import { startProcess } from '../support/process.js';
import { startService, type TestService } from '../support/service.js';

const API_KEY = 'a-key-of-the-service';
const LISTED = 'https://app.example';
const SECURE = { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET, WEBSOCKET_API_KEYS: API_KEY };

type Way = Omit<BareRequest, 'port'> & { name: string };

/** Every kind of request that a page can send; `ID` becomes a pending prompt. */
const WAYS: readonly Way[] = [
  { name: 'an upgrade', path: '/ws', headers: HANDSHAKE },
  { name: 'an upgrade of the root', path: '/', headers: HANDSHAKE },
  { name: 'an upgrade of a path that does not exist', path: '/nowhere', headers: HANDSHAKE },
  { name: 'a read', path: '/ws/status' },
  { name: 'a HEAD', method: 'HEAD', path: '/ws/status' },
  { name: 'a read in another case', path: '/WS/Status/' },
  { name: 'a read of health', path: '/health/live' },
  { name: 'a read of the documents', path: '/docs' },
  { name: 'a path that does not exist', path: '/nowhere' },
  ...['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'].map((type) => ({
    name: `an answer as ${type}`,
    method: 'POST',
    path: '/ws/confirmations/ID/answer',
    headers: { 'content-type': type },
    body: '{"proceed":true}',
  })),
  { name: 'an answer without a type', method: 'POST', path: '/ws/confirmations/ID/answer', body: '{"proceed":true}' },
  { name: 'an answer without a body', method: 'POST', path: '/ws/confirmations/ID/answer' },
  { name: 'a withdrawal', method: 'DELETE', path: '/ws/confirmations/ID' },
  { name: 'a cancellation', method: 'POST', path: '/ws/tasks/t/cancel' },
  {
    name: 'a broadcast',
    method: 'POST',
    path: '/ws/broadcast',
    headers: { 'content-type': 'application/json' },
    body: '{"type":"x"}',
  },
  { name: 'a preflight', method: 'OPTIONS', path: '/ws/broadcast', headers: { 'access-control-request-method': 'POST' } },
  { name: 'a method of nobody', method: 'PATCH', path: '/ws/status' },
];

type Row = [what: string, origin: string | undefined, host: string, passes: boolean];

const services: TestService[] = [];
const apps: INestApplication[] = [];
afterAll(async () => {
  for (const service of services) await service.stop();
  for (const app of apps) await app.close();
});

async function start(environment: Record<string, string>): Promise<TestService> {
  const service = await startService({ environment: { WEBSOCKET_RATE_BURST: '1000000', ...environment } });
  services.push(service);
  return service;
}

/** PORT becomes the service's. */
const written = (text: string, port: number): string => text.replaceAll('PORT', String(port));

async function send(port: number, way: Way, origin: string | undefined, host: string, more: object = {}): Promise<BareAnswer> {
  const headers = {
    ...way.headers,
    ...more,
    host: written(host, port),
    ...(origin !== undefined && { origin: written(origin, port) }),
  };
  return bareRequest({ ...way, port, headers });
}

function table(title: string, environment: Record<string, string>, rows: readonly Row[], identity: object = {}): void {
  describe(title, () => {
    let service: TestService;
    let callbackId: string;
    beforeAll(async () => {
      service = await start(environment);
      const { confirmation } = await service.notifications.openConfirmation({
        userId: 'ann',
        taskId: 'asked',
        step: 1,
        stepResult: { message: '?' },
      });
      callbackId = confirmation.callbackId;
    });

    it.each(rows)('a request of %s (Origin %s, Host %s) passes: %s', async (_what, origin, host, passes) => {
      for (const way of WAYS) {
        const path = passes ? way.path : way.path?.replace('ID', callbackId);
        const { status, text } = await send(service.port, { ...way, path }, origin, host, identity);
        expect({ way: way.name, is403: status === 403 }).toEqual({ way: way.name, is403: !passes });
        if (!passes && way.method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ code: 'FORBIDDEN' });
      }
      expect(await service.notifications.getConfirmation(callbackId)).toMatchObject({ state: 'pending' });
    });
  });
}

const FOREIGN: Row[] = [
  ['a foreign page', 'https://evil.example', '127.0.0.1:PORT', false],
  ['a foreign page of the same port', 'http://evil.example:PORT', 'localhost:PORT', false],
  ['a sandboxed frame', 'null', '127.0.0.1:PORT', false],
  ['a file', 'file://', 'localhost:PORT', false],
  ['a page without a name', '', '127.0.0.1:PORT', false],
  ['a page of a name that begins like loopback', 'http://localhost.evil.example', 'localhost:PORT', false],
  ['a page of a name that begins like an address', 'http://127.0.0.1.evil.example', '127.0.0.1:PORT', false],
  ['a page of a name that ends like loopback', 'http://evillocalhost', 'localhost:PORT', false],
  ['a page of two origins', 'http://localhost, http://evil.example', 'localhost:PORT', false],
  ['a page with a user in its name', 'http://localhost@evil.example', 'localhost:PORT', false],
  ['an extension', 'chrome-extension://abcdefghijklmnop', 'localhost:PORT', false],
  ['a page of the network', 'http://192.168.1.7:PORT', '127.0.0.1:PORT', false],
];

const OWN: Row[] = [
  ['the own page by address', 'http://127.0.0.1:PORT', '127.0.0.1:PORT', true],
  ['the own page by name', 'http://localhost:PORT', 'localhost:PORT', true],
  ['the own page behind TLS', 'https://127.0.0.1', '127.0.0.1', true],
];

const LOOPBACK: Row[] = [
  ['a program', undefined, '127.0.0.1:PORT', true],
  ['a development server', 'http://localhost:5173', '127.0.0.1:PORT', true],
  ['a development server with TLS', 'https://localhost:5173', 'localhost:PORT', true],
  ['a development server of a sub-domain', 'http://app.localhost:3000', 'localhost:PORT', true],
  ['a development server on 127/8', 'http://127.1.2.3:3000', '[::1]:PORT', true],
  ['a development server on IPv6', 'http://[::1]:3000', 'LOCALHOST:PORT', true],
];

table('open mode that listens on loopback', {}, [
  ...FOREIGN,
  ...OWN,
  ...LOOPBACK,
  ['a program that names an address', undefined, '192.168.1.7:PORT', true],
  ['the own page of the network', 'http://192.168.1.7:PORT', '192.168.1.7:PORT', true],
  ['the own page on IPv6', 'http://[2001:db8::1]:PORT', '[2001:DB8:0::1]:PORT', true],
  ['a program that names a rebound host', undefined, 'evil.example:PORT', false],
  ['a rebound page', 'http://evil.example:PORT', 'evil.example:PORT', false],
  ['a rebound page without a port', 'http://evil.example', 'evil.example', false],
  ['a rebound page of a name like loopback', undefined, 'localhost.evil.example:PORT', false],
  ['a program that names no host', undefined, '', false],
  ['a program that names a broken host', undefined, 'localhost:PORT/@evil', false],
]);

table(
  'open mode that listens on loopback, with an origin and hosts listed',
  {
    WEBSOCKET_ALLOWED_ORIGINS: `${LISTED}, HTTPS://BÜCHER.example:443, null, file://, Capacitor://Localhost`,
    WEBSOCKET_ALLOWED_HOSTS: 'asks.example, Bücher.example:8443',
  },
  [
    ...OWN,
    ...LOOPBACK,
    ['the listed page', LISTED, '127.0.0.1:PORT', true],
    ['the listed page under a listed host', LISTED, 'asks.example:PORT', true],
    ['the listed page under a rebound host', LISTED, 'evil.example', false],
    ['a listed page of an international name', 'https://xn--bcher-kva.example', 'localhost:PORT', true],
    ['a sandboxed frame that is listed', 'null', 'localhost:PORT', true],
    ['a file that is listed', 'file://', 'localhost:PORT', true],
    ['an app that is listed', 'capacitor://localhost', 'localhost:PORT', true],
    ['the own page under a listed host', 'https://asks.example', 'asks.example', true],
    ['the own page under a listed host and port', 'http://xn--bcher-kva.example:8443', 'xn--bcher-kva.example:8443', true],
    ['the own page under another port of a listed host', 'http://xn--bcher-kva.example:1', 'xn--bcher-kva.example:1', false],
    ['a page of another port of a listed host', 'https://asks.example:444', 'asks.example', false],
    ['the listed name over another scheme', 'http://app.example', '127.0.0.1:PORT', false],
    ['another port of the listed name', 'https://app.example:8443', '127.0.0.1:PORT', false],
    ['a sub-domain of the listed name', 'https://x.app.example', '127.0.0.1:PORT', false],
    ['the listed name in another case', 'https://APP.example', '127.0.0.1:PORT', false],
  ],
);

table('open mode with any origin allowed', { WEBSOCKET_ALLOWED_ORIGINS: '*' }, [
  ['a foreign page', 'https://evil.example', '127.0.0.1:PORT', true],
  ['a sandboxed frame', 'null', 'localhost:PORT', true],
]);

table('open mode on purpose, on all addresses', { WEBSOCKET_AUTH: 'none', WEBSOCKET_HOST: '0.0.0.0' }, [
  ...FOREIGN,
  ...OWN,
  ...LOOPBACK,
  ['a program that names a host', undefined, 'asks.example', true],
  ['the own page under a host that is not listed', 'http://asks.example', 'asks.example', false],
  ['the own page of the network', 'http://192.168.1.7:PORT', '192.168.1.7:PORT', true],
]);

table(
  'secure mode',
  SECURE,
  [
    ...FOREIGN,
    ...OWN,
    ['a program', undefined, 'asks.example', true],
    ['the own page under any host', 'https://asks.example', 'asks.example', true],
    ['the own page under any host and port', 'http://asks.example:PORT', 'asks.example:PORT', true],
    ['a page of another port', 'http://asks.example:1', 'asks.example:PORT', false],
    ['a development server', 'http://localhost:5173', 'localhost:PORT', false],
  ],
  { 'x-api-key': API_KEY },
);

describe('a page that may use the service', () => {
  it('gets CORS headers on every answer, errors included, and is answered its preflight without a key', async () => {
    const service = await start({ ...SECURE, WEBSOCKET_ALLOWED_ORIGINS: LISTED });
    const preflight = await bareRequest({
      port: service.port,
      method: 'OPTIONS',
      path: '/ws/confirmations',
      headers: {
        origin: LISTED,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,idempotency-key,x-api-key',
      },
    });
    expect(preflight).toMatchObject({ status: 204, text: '' });
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': LISTED,
      'access-control-allow-methods': expect.stringMatching(/GET.*POST.*PUT.*DELETE/),
      'access-control-allow-headers': 'Authorization, X-API-Key, Idempotency-Key, Content-Type, Traceparent, Tracestate',
      vary: expect.stringContaining('Origin'),
    });
    for (const [headers, status] of [
      [{ 'x-api-key': API_KEY }, 200],
      [{}, 401],
    ] as const) {
      const answer = await bareRequest({ port: service.port, path: '/ws/status', headers: { origin: LISTED, ...headers } });
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': LISTED,
        'access-control-expose-headers': expect.stringContaining('Retry-After'),
        vary: expect.stringContaining('Origin'),
      });
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    }
    const program = await bareRequest({ port: service.port, path: '/ws/status', headers: { 'x-api-key': API_KEY } });
    expect(program.headers).not.toHaveProperty('access-control-allow-origin');
    const refused = await bareRequest({ port: service.port, path: '/ws/status', headers: { origin: 'https://evil.example' } });
    expect(refused.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('connects with its user’s token, and a page that may not is refused before its token is looked at', async () => {
    const service = await start({ ...SECURE, WEBSOCKET_ALLOWED_ORIGINS: LISTED });
    const headers = { ...HANDSHAKE, authorization: `Bearer ${await tokenOf('ann')}` };
    const from = async (origin: string, more = {}): Promise<number> =>
      (await bareRequest({ port: service.port, path: '/ws', headers: { ...headers, origin, ...more } })).status;
    expect(await from(LISTED)).toBe(101);
    expect(await from('https://evil.example')).toBe(403);
    expect(await from('https://evil.example', { authorization: 'Bearer nonsense' })).toBe(403);
  });
});

describe('the log', () => {
  it('names the setting that would let a refused page or host in, once however many there are', async () => {
    const service = await startProcess();
    let log = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const { port } = service;
    for (let count = 0; count < 20; count += 1) {
      await bareRequest({ port, path: '/ws/status', headers: { origin: 'https://evil.example' } });
      await bareRequest({ port, path: '/ws', headers: { ...HANDSHAKE, host: 'rebound.example' } });
    }
    await service.stop();
    const lines = (setting: string): string[] => log.split('\n').filter((line) => line.includes(setting));
    expect(lines('WEBSOCKET_ALLOWED_ORIGINS')).toEqual([expect.stringContaining('https://evil.example')]);
    expect(lines('WEBSOCKET_ALLOWED_HOSTS')).toEqual([expect.stringContaining('rebound.example')]);
  });
});

describe('a start', () => {
  it.each([
    ['WEBSOCKET_ALLOWED_ORIGINS', 'app.example'],
    ['WEBSOCKET_ALLOWED_ORIGINS', 'https://app.example/path'],
    ['WEBSOCKET_ALLOWED_ORIGINS', 'https://user@app.example'],
    ['WEBSOCKET_ALLOWED_HOSTS', 'https://app.example'],
    ['WEBSOCKET_ALLOWED_HOSTS', 'app.example:port'],
  ])('is refused with %s=%s', async (name, value) => {
    await expect(start({ [name]: value })).rejects.toThrow(`${name} is "${value}", but takes`);
  });
});

describe('in somebody else’s application', () => {
  @Controller()
  class OwnController {
    @Get('own')
    read(): string {
      return 'own';
    }

    @Post('api/own')
    write(): string {
      return 'written';
    }
  }

  it.each(['', 'api'])('the module’s routes are guarded, and the application’s own are not (prefix %p)', async (prefix) => {
    const testing = await Test.createTestingModule({
      imports: [NotificationModule.forRoot({ dataDir: ':memory:' })],
      controllers: [OwnController],
    }).compile();
    const app = testing.createNestApplication({ cors: true });
    apps.push(app);
    app.useLogger(false);
    app.setGlobalPrefix(prefix);
    app.useWebSocketAdapter(new NotificationWsAdapter(app));
    await app.listen(0, '127.0.0.1');
    const port = portOf(app.getHttpServer() as Server);
    const base = prefix === '' ? '' : `/${prefix}`;
    const statusOf = async (path: string, headers: Record<string, string>, method = 'GET'): Promise<number> =>
      (await bareRequest({ port, path, headers, method })).status;
    const foreign = { origin: 'https://evil.example' };
    const preflight = { ...foreign, 'access-control-request-method': 'POST' };
    expect(await statusOf(`${base}/ws/status`, {})).toBe(200);
    expect(await statusOf(`${base}/ws/status`, foreign)).toBe(403);
    expect(await statusOf(`${base}/ws/broadcast`, preflight, 'OPTIONS')).toBe(403);
    expect(await statusOf(`${base}/ws/status`, { host: 'evil.example' })).toBe(403);
    expect(await statusOf('/ws', { ...HANDSHAKE, ...foreign })).toBe(403);
    expect(await statusOf(`${base}/own`, { ...foreign, host: 'evil.example' })).toBe(200);
    expect(await statusOf(`${base}/own`, preflight, 'OPTIONS')).toBe(204);
  });
});
