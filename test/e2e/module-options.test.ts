/** What an application chooses beside the settings: routes, guards, health, metrics, and who may inject the service. */
import 'reflect-metadata';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import {
  Injectable,
  Module,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type INestApplication,
  type LoggerService,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { NotificationHealthIndicator, NotificationModule, NotificationService } from '../../src/notification/index.js';
import { portOf } from '../../src/app/app.js';
import { TestClient } from '../support/client.js';

const OPTIONS = { dataDir: ':memory:', drainTimeoutMs: 0 };
let app: INestApplication;
let url: string;
let logged: string[];
afterEach(() => app.close());

async function start(root: DynamicModule | (new () => object)): Promise<void> {
  logged = [];
  const note = (message: unknown): void => void logged.push(String(message));
  const silent: LoggerService = { log: () => undefined, warn: note, error: note };
  app = await NestFactory.create(root, { logger: silent, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${portOf(app.getHttpServer() as Server)}`;
}

const statusOf = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
  (await fetch(url + path, { headers })).status;

/** Asks over the service and answers over the socket. */
async function asksAndAnswers(): Promise<void> {
  const client = await TestClient.connect(`${url.replace('http', 'ws')}/ws`);
  await client.request({ action: 'subscribe', user_id: 'ann' });
  const decision = app.get(NotificationService).notifyUser({ message: 'Go?' }, 'ann', 'task', 1);
  const { callback_id } = await client.next('task_step_result');
  await client.request({ action: 'confirm', callback_id, proceed: true });
  expect(await decision).toMatchObject({ outcome: 'answered', proceed: true });
  await client.close();
}

@Injectable()
class Doorkeeper {
  readonly word = 'sesame';
}

@Injectable()
class DoorGuard implements CanActivate {
  constructor(private readonly doorkeeper: Doorkeeper) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    return headers['x-word'] === this.doorkeeper.word;
  }
}

@Module({ providers: [Doorkeeper, DoorGuard] })
class DoorModule {}

it('the module installs its adapter by itself, and warns in open mode', async () => {
  await start(NotificationModule.forRoot(OPTIONS));
  await asksAndAnswers();
  expect(logged).toEqual([expect.stringMatching(/^open mode: any client may act as any user/)]);
});

it('the module does not warn when tokens are required', async () => {
  await start(NotificationModule.forRoot({ ...OPTIONS, authenticator: { authenticate: () => Promise.resolve(undefined) } }));
  expect(logged).toEqual([]);
});

it('rest: false serves no routes, and the socket as before', async () => {
  await start(NotificationModule.forRoot({ ...OPTIONS, rest: false }));
  expect(await statusOf('/ws/status')).toBe(404);
  await asksAndAnswers();
});

it('a prefix stands before the routes alone, and their guards are the application’s providers', async () => {
  @Module({
    imports: [DoorModule, NotificationModule.forRoot({ ...OPTIONS, rest: { prefix: 'internal', guards: [DoorGuard] } })],
  })
  class App {}
  await start(App);
  expect(await statusOf('/internal/ws/status', { 'x-word': 'sesame' })).toBe(200);
  expect(await statusOf('/internal/ws/status')).toBe(403);
  expect(await statusOf('/ws/status', { 'x-word': 'sesame' })).toBe(404);
  // The body of a route with a prefix is read and checked like any other.
  const body = await fetch(`${url}/internal/ws/broadcast`, {
    method: 'POST',
    headers: { 'x-word': 'sesame', 'content-type': 'application/json' },
    body: '{"type":"a","type":"b"}',
  });
  expect(body.status).toBe(400);
  await asksAndAnswers();
});

it('health and metrics are mounted if they are asked for', async () => {
  await start(NotificationModule.forRoot({ ...OPTIONS, health: true, metrics: true }));
  const health = (await (await fetch(`${url}/ws/health`)).json()) as object;
  expect(health).toMatchObject({ status: 'healthy', active_connections: 0, pending_callbacks: 0 });
  expect(await statusOf('/health/ready')).toBe(200);
  const metrics = await fetch(`${url}/metrics`);
  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  expect(await metrics.text()).toContain('websocket_connections 0');
  await app.get(NotificationService).stopServer();
  expect(await statusOf('/health/ready')).toBe(503);
});

it('the API’s description is mounted if it is asked for, at its prefix', async () => {
  await start(NotificationModule.forRoot({ ...OPTIONS, docs: true, rest: { prefix: 'internal' } }));
  const page = await fetch(`${url}/internal/docs`);
  expect(await page.text()).toContain('<code>GET /ws/status</code>');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await (await fetch(`${url}/internal/docs/openapi.json`)).json()).toMatchObject({ openapi: '3.0.0' });
  expect(await statusOf('/docs')).toBe(404);
});

it('health, metrics and the API’s description are not mounted without being asked for', async () => {
  await start(NotificationModule.forRoot(OPTIONS));
  const paths = ['/health/live', '/metrics', '/ws/health', '/docs', '/docs/openapi.json'];
  expect(await Promise.all(paths.map((path) => statusOf(path)))).toEqual(paths.map(() => 404));
});

it('forRootAsync takes the same choices, and several feature modules inject a global module’s service', async () => {
  @Module({})
  class Orders {
    constructor(readonly notifications: NotificationService) {}
  }
  @Module({})
  class Billing {
    constructor(readonly notifications: NotificationService) {}
  }
  @Module({
    imports: [
      NotificationModule.forRootAsync({
        imports: [DoorModule],
        useFactory: () => Promise.resolve(OPTIONS),
        isGlobal: true,
        rest: { prefix: 'v2' },
        health: true,
      }),
      Orders,
      Billing,
    ],
  })
  class App {}
  await start(App);
  expect(app.get(Orders).notifications).toBe(app.get(Billing).notifications);
  expect([await statusOf('/v2/ws/status'), await statusOf('/v2/health/live')]).toEqual([200, 200]);
});

it('the health indicator tells why the service is down', async () => {
  await start(NotificationModule.forRoot(OPTIONS));
  const indicator = app.get(NotificationHealthIndicator);
  expect(await indicator.isHealthy('notifications')).toEqual({ notifications: { status: 'up' } });
  await app.get(NotificationService).stopServer();
  expect(await indicator.isHealthy('notifications')).toEqual({ notifications: { status: 'down', reason: 'draining' } });
});

it('@nestjs/throttler limits the routes and no frames, and @nestjs/terminus takes the indicator', async () => {
  await start(NotificationModule.forRoot(OPTIONS));
  const program = fileURLToPath(new URL('../support/host-app.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const host = `http://127.0.0.1:${port.toString().trim()}`;
  const client = await TestClient.connect(`${host.replace('http', 'ws')}/ws`);
  for (let count = 0; count < 5; count += 1) expect(await client.request({ action: 'ping' })).toMatchObject({ type: 'pong' });
  await client.close();
  const statuses = [];
  for (let count = 0; count < 3; count += 1) statuses.push((await fetch(`${host}/ws/status`)).status);
  expect(statuses).toEqual([200, 200, 429]);
  expect(await (await fetch(`${host}/health`)).json()).toMatchObject({
    status: 'ok',
    info: { notifications: { status: 'up' } },
  });
  child.kill('SIGTERM');
  await exited;
});
