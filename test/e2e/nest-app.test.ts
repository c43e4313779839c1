/** The module inside somebody else's Nest app: injected, guarded, intercepted, beside another gateway. */
import 'reflect-metadata';
import type { Server } from 'node:http';
import {
  Injectable,
  Module,
  type CallHandler,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type INestApplication,
  type INestApplicationContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { map, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { ExampleAppModule } from '../../examples/nest-app/app.module.js';
import { TaskService } from '../../examples/nest-app/task.service.js';
import {
  ConfigurationError,
  NotificationModule,
  NotificationService,
  NotificationWsAdapter,
} from '../../src/notification/index.js';
import { portOf } from '../../src/app/app.js';
import type { CheckedOptions } from '../support/checked-socket.js';
import { TestClient } from '../support/client.js';

let app: INestApplication;
afterEach(() => app.close());

async function listen(built: INestApplication): Promise<string> {
  app = built;
  app.useLogger(false);
  app.useWebSocketAdapter(new NotificationWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  return `ws://127.0.0.1:${portOf(app.getHttpServer() as Server)}`;
}

const forMemory = (): DynamicModule => NotificationModule.forRoot({ dataDir: ':memory:', drainTimeoutMs: 0 });

async function asUser(url: string, userId: string, options: CheckedOptions = {}): Promise<TestClient> {
  const client = await TestClient.connect(`${url}/ws`, options);
  await client.request({ action: 'subscribe', user_id: userId });
  return client;
}

describe('the example app', () => {
  it('runs a task that asks its user and gets the answer', async () => {
    const url = await listen((await Test.createTestingModule({ imports: [ExampleAppModule] }).compile()).createNestApplication());
    const client = await asUser(url, 'alice');
    const report = app.get(TaskService).run('alice', 'task-1');
    await client.next('heartbeat');
    await client.next('task_progress');
    const prompt = await client.next('task_step_result');
    expect(prompt).toMatchObject({ result: { text: 'It works' }, default: 'abort' });
    await client.request({ action: 'confirm', callback_id: prompt['callback_id'], proceed: true, feedback: 'nice' });
    expect(await report).toEqual({ taskId: 'task-1', status: 'published', feedback: 'nice' });
    await client.close();
  });

  it('ends a task that its user cancels', async () => {
    const url = await listen((await Test.createTestingModule({ imports: [ExampleAppModule] }).compile()).createNestApplication());
    const client = await asUser(url, 'alice');
    const report = app.get(TaskService).run('alice', 'task-1');
    await client.next('task_step_result');
    await client.request({ action: 'cancel', user_id: 'alice', task_id: 'task-1' });
    expect(await report).toEqual({ taskId: 'task-1', status: 'cancelled' });
    await client.close();
  });
});

describe('a host app’s own', () => {
  @Injectable()
  class NoCancelling implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      return context.getType() !== 'ws' || context.switchToWs().getPattern() !== 'cancel';
    }
  }

  @Injectable()
  class Stamp implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<object> {
      return next.handle().pipe(map((reply: object) => ({ ...reply, stamped: true })));
    }
  }

  @WebSocketGateway({ path: '/chat' })
  class ChatGateway {
    @SubscribeMessage('say')
    say(@MessageBody() text: string): { event: string; data: string } {
      return { event: 'said', data: text };
    }
  }

  it('guards and interceptors work on the actions if the module is to obey them', async () => {
    const testing = await Test.createTestingModule({
      imports: [NotificationModule.forRoot({ dataDir: ':memory:', obeyGlobals: true })],
      providers: [
        { provide: APP_GUARD, useClass: NoCancelling },
        { provide: APP_INTERCEPTOR, useClass: Stamp },
      ],
    }).compile();
    const url = await listen(testing.createNestApplication());
    // The interceptor's field is not in the AsyncAPI document.
    const client = await asUser(url, 'alice', { checksReceived: false });
    expect(await client.request({ action: 'ping' })).toMatchObject({ type: 'pong', stamped: true });
    expect(await client.request({ action: 'cancel', user_id: 'alice', task_id: 't' })).toMatchObject({
      type: 'error',
      code: 'FORBIDDEN',
    });
    await client.close();
  });

  it('gateway on another path is served by Nest’s stock adapter beside ours', async () => {
    const testing = await Test.createTestingModule({
      imports: [NotificationModule.forRoot({ dataDir: ':memory:' })],
      providers: [ChatGateway],
    }).compile();
    const url = await listen(testing.createNestApplication());
    const client = await asUser(url, 'alice');
    const chat = new WebSocket(`${url}/chat`);
    await new Promise((resolve) => chat.once('open', resolve));
    chat.send(JSON.stringify({ event: 'say', data: 'hello' }));
    const [data] = await new Promise<[Buffer]>((resolve) => chat.once('message', (message: Buffer) => resolve([message])));
    expect(JSON.parse(data.toString())).toEqual({ event: 'said', data: 'hello' });
    await client.settled();
    chat.terminate();
    await client.close();
  });

  it('start fails with one clear line when the adapter was forgotten', async () => {
    const { WsAdapter } = await import('@nestjs/platform-ws');
    const testing = await Test.createTestingModule({ imports: [NotificationModule.forRoot({ dataDir: ':memory:' })] }).compile();
    app = testing.createNestApplication();
    app.useLogger(false);
    app.useWebSocketAdapter(new WsAdapter(app));
    await expect(app.init()).rejects.toThrow('app.useWebSocketAdapter(new NotificationWsAdapter(app))');
  });

  it('code gets a typed error for a wrong option', () => {
    expect(() => NotificationModule.forRoot({ dataDir: ':memory:' })).not.toThrow();
    return expect(
      Test.createTestingModule({ imports: [NotificationModule.forRoot({ maxConnections: 0 })] }).compile(),
    ).rejects.toThrow('option maxConnections');
  });

  it('status says where the application listens, and so does startServer()', async () => {
    const testing = await Test.createTestingModule({ imports: [NotificationModule.forRoot({ dataDir: ':memory:' })] }).compile();
    const url = await listen(testing.createNestApplication());
    const listening = { host: '127.0.0.1', port: Number(new URL(url).port) };
    const response = await fetch(`${url.replace('ws', 'http')}/ws/status`);
    expect(await response.json()).toMatchObject({ running: true, ...listening });
    const service = app.get(NotificationService);
    await service.stopServer();
    expect(await service.startServer()).toEqual(listening);
  });

  describe('modules', () => {
    @Module({})
    class Orders {
      constructor(readonly notifications: NotificationService) {}
    }
    @Module({})
    class Billing {
      constructor(readonly notifications: NotificationService) {}
    }
    const importing = (module: Type, ...imports: DynamicModule[]): DynamicModule => ({ module, imports });
    const forRoot = (): DynamicModule => NotificationModule.forRoot({ dataDir: ':memory:' });

    it.each([
      ['with the same options', forRoot],
      ['with other options', () => NotificationModule.forRoot({ dataDir: ':memory:', paths: ['/other'] })],
      ['asynchronously', () => NotificationModule.forRootAsync({ useFactory: () => ({ dataDir: ':memory:' }) })],
    ])('stop the start with one line when each imports the module %s', async (_how, again) => {
      const testing = Test.createTestingModule({ imports: [importing(Orders, forRoot()), importing(Billing, again())] });
      await expect(testing.compile()).rejects.toThrow(
        new ConfigurationError(
          'NotificationModule.forRoot() is imported more than once in this application: import it in one module, with isGlobal: true or re-exported',
        ),
      );
    });

    it('share the service when they import one and the same module', async () => {
      const shared = forRoot();
      const testing = await Test.createTestingModule({
        imports: [importing(Orders, shared), importing(Billing, shared)],
      }).compile();
      const url = await listen(testing.createNestApplication());
      const services = [app.get(Orders).notifications, app.get(Billing).notifications];
      expect(new Set(services).size).toBe(1);
      await asUser(url, 'alice').then((client) => client.close());
    });
  });

  describe('service that reaches nobody', () => {
    const ask = (context: INestApplicationContext, onTimeout?: 'proceed'): Promise<object> =>
      context.get(NotificationService).notifyUser({ message: '?' }, 'alice', 'task', 1, { timeoutMs: 100, onTimeout });

    it.each<[string, () => Promise<INestApplicationContext>]>([
      ['without an HTTP server', () => NestFactory.createApplicationContext(forMemory(), { logger: false })],
      [
        'before it listens',
        async () => {
          const started = await NestFactory.create(forMemory(), { logger: false });
          started.useWebSocketAdapter(new NotificationWsAdapter(started));
          return started.init();
        },
      ],
      [
        'that was stopped',
        async () => {
          const started = await NestFactory.create(forMemory(), { logger: false });
          started.useWebSocketAdapter(new NotificationWsAdapter(started));
          await started.listen(0, '127.0.0.1');
          await started.get(NotificationService).stopServer();
          return started;
        },
      ],
    ])('does not proceed on a setting’s default: %s', async (_how, start) => {
      const context = await start();
      app = context as INestApplication;
      expect(await ask(context)).toMatchObject({ outcome: 'timed_out', proceed: false });
      // What the caller itself said beforehand counts.
      expect(await ask(context, 'proceed')).toMatchObject({ outcome: 'timed_out', proceed: true });
    });
  });

  it('code injects the service', async () => {
    await listen(
      (
        await Test.createTestingModule({ imports: [NotificationModule.forRoot({ dataDir: ':memory:' })] }).compile()
      ).createNestApplication(),
    );
    expect(app.get(NotificationService).getConnectionCount()).toBe(0);
  });
});
