/**
 * What a Nest application binds for its own routes does not break the protocol: each row of the table in
 * `docs/nest-app.md`, over a real socket and REST, on Express and on Fastify.
 */
import 'reflect-metadata';
import type { Server } from 'node:http';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  Scope,
  ValidationPipe,
  VersioningType,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type ModuleMetadata,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { map, timeout, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { NotificationModule, NotificationService } from '../../src/notification/index.js';
import { portOf } from '../../src/app/app.js';
import { TestClient } from '../support/client.js';

/** Reads a request as guards for HTTP do: a socket's frame has no headers, and makes it throw. */
@Injectable()
class SessionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    return request.headers['x-session'] === 'open';
  }
}

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<object> {
    return next.handle().pipe(
      timeout(50),
      map((data: unknown) => ({ statusCode: 200, data })),
    );
  }
}

@Injectable({ scope: Scope.REQUEST })
class EnvelopeOfARequest extends Envelope {}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<{ status?(code: number): { send(body: object): void } }>();
    response.status?.(418).send({ oops: true });
  }
}

/** Turns every "no" into a "yes", in copies and in place. */
@Injectable()
class Rewriter implements PipeTransform {
  transform(value: unknown): unknown {
    if (value === 'no') return 'yes';
    if (value === false) return true;
    if (typeof value !== 'object' || value === null) return value;
    for (const [name, inner] of Object.entries(value)) Reflect.set(value, name, this.transform(inner));
    return value;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Greeter {
  constructor(readonly notifications: NotificationService) {}
}

@Controller('greeting')
class GreetingController {
  constructor(private readonly greeter: Greeter) {}

  @Get()
  read(): object {
    return { connections: this.greeter.notifications.getConnectionCount() };
  }
}

@WebSocketGateway({ path: '/chat' })
class ChatGateway {
  @SubscribeMessage('say')
  say(@MessageBody() text: string): { event: string; data: string } {
    return { event: 'said', data: text };
  }
}

interface Host extends ModuleMetadata {
  /** What `main.ts` would do. */
  set?: (app: INestApplication) => void;
  options?: { bodyParser?: boolean; rawBody?: boolean };
  /** Headers of every REST call. */
  headers?: Record<string, string>;
  prefix?: string;
}

const ROWS: Record<string, Host> = {
  'a ValidationPipe with every option on': {
    set: (app) =>
      app.useGlobalPipes(
        new ValidationPipe({
          whitelist: true,
          forbidNonWhitelisted: true,
          forbidUnknownValues: true,
          transform: true,
          transformOptions: { enableImplicitConversion: true },
          validateCustomDecorators: true,
        }),
      ),
  },
  'a pipe that rewrites values': { set: (app) => app.useGlobalPipes(new Rewriter()) },
  'a guard that is written for HTTP': {
    providers: [{ provide: APP_GUARD, useClass: SessionGuard }],
    headers: { 'x-session': 'open' },
  },
  'an interceptor that wraps and times out': { set: (app) => app.useGlobalInterceptors(new Envelope()) },
  'an interceptor of each request': { providers: [{ provide: APP_INTERCEPTOR, useClass: EnvelopeOfARequest }] },
  'a filter that catches everything': { set: (app) => app.useGlobalFilters(new CatchAll()) },
  'a global prefix': { set: (app) => app.setGlobalPrefix('api/'), prefix: '/api' },
  'versions in the path': { set: (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }) },
  'versions in a header': { set: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }) },
  'no body parser': { options: { bodyParser: false } },
  'a body parser that keeps the raw body': { options: { rawBody: true } },
  'providers of each request': { controllers: [GreetingController], providers: [Greeter] },
  'a gateway of its own': { providers: [ChatGateway] },
};

const PLATFORMS = {
  Express: undefined,
  Fastify: () => new FastifyAdapter(),
};

let app: INestApplication;
let url: string;
afterEach(() => app.close());

async function start(
  platform: keyof typeof PLATFORMS,
  { set, options, headers: _h, prefix: _p, imports = [], ...metadata }: Host,
): Promise<void> {
  @Module({
    imports: [NotificationModule.forRoot({ dataDir: ':memory:', drainTimeoutMs: 0, isGlobal: true }), ...imports],
    ...metadata,
  })
  class HostModule {}
  const testing = await Test.createTestingModule({ imports: [HostModule] }).compile();
  const adapter = PLATFORMS[platform]?.();
  app = adapter ? testing.createNestApplication(adapter, options) : testing.createNestApplication(options);
  app.useLogger(['error']);
  set?.(app);
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${portOf(app.getHttpServer() as Server)}`;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

function callerOf({ headers, prefix = '' }: Host) {
  return async (method: string, path: string, body?: unknown, type = 'application/json'): Promise<Answer> => {
    const response = await fetch(`${url}${prefix}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': type }) },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
}

const CHOICES = [
  { id: 'yes', label: 'Yes', proceed: true },
  { id: 'no', label: 'No', proceed: false },
];
const QUESTION = { user_id: 'ann', task_id: 'task', step: 1, step_result: { message: 'Go?' }, choices: CHOICES };

describe.each(Object.keys(PLATFORMS) as (keyof typeof PLATFORMS)[])('in an application on %s', (platform) => {
  it.each(Object.entries(ROWS))('the actions and routes keep the protocol with %s', async (_name, host) => {
    await start(platform, host);
    const rest = callerOf(host);
    const client = await TestClient.connect(`${url.replace('http', 'ws')}/ws`);
    expect(await client.request({ action: 'ping', more: ['no'] })).toMatchObject({
      type: 'pong',
      original_data: { more: ['no'] },
    });
    expect(await client.request({ action: 'subscribe', user_id: 'ann' })).toMatchObject({
      type: 'subscription_confirmed',
      user_id: 'ann',
    });

    // A choice over the socket, with a field that old clients send.
    const opened = await rest('POST', '/ws/confirmations', QUESTION);
    expect(opened).toMatchObject({ status: 201, body: { state: 'pending' } });
    const { callback_id: first } = await client.next('task_step_result');
    const confirm = { action: 'confirm', callback_id: first, choice: 'no', feedback: 'no', extra: 1 };
    expect(await client.request(confirm)).toMatchObject({ type: 'confirmation_accepted', callback_id: first });
    expect(await rest('GET', `/ws/confirmations/${String(first)}`)).toMatchObject({
      status: 200,
      body: { state: 'answered', proceed: false, choice: 'no', feedback: 'no' },
    });

    // An answer by REST, with a long poll that lasts longer than the application's own requests may.
    const { body } = await rest('POST', '/ws/confirmations', { ...QUESTION, step: 2 });
    const poll = rest('GET', `/ws/confirmations/${String(body['callback_id'])}?wait=10`);
    await client.next('task_step_result');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await rest('POST', `/ws/confirmations/${String(body['callback_id'])}/answer`, { proceed: false })).toMatchObject({
      status: 200,
      body: { state: 'answered', proceed: false, via: 'rest' },
    });
    expect((await poll).body).toMatchObject({ state: 'answered', proceed: false });

    // Errors keep their shapes.
    expect(await client.request({ action: 'confirm', callback_id: 'unknown', proceed: true })).toMatchObject({
      type: 'error',
      code: 'NOT_FOUND',
    });
    expect(await client.requestUnchecked({ action: 'confirm', callback_id: 'unknown', proceed: 'yes' })).toMatchObject({
      code: 'INVALID_MESSAGE',
      fields: { proceed: expect.any(String) },
    });
    expect(await client.requestUnchecked({ action: 'dance' })).toMatchObject({
      code: 'UNKNOWN_ACTION',
      message: 'Unknown action: dance',
    });
    const answer = '/ws/confirmations/unknown/answer';
    expect(await rest('POST', answer, { proceed: true })).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await rest('POST', answer, { proceed: 'no', extra: 1 })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_MESSAGE', fields: { proceed: expect.any(String), extra: expect.any(String) } },
    });
    expect(await rest('POST', answer, '{"proceed":true,"proceed":false}')).toMatchObject({ status: 400 });
    expect(await rest('POST', answer, '{no')).toMatchObject({ status: 400, body: { code: 'INVALID_JSON' } });
    expect(await rest('POST', answer, 'proceed=true', 'application/x-www-form-urlencoded')).toMatchObject({ status: 415 });
    expect(await rest('POST', answer)).toMatchObject({ status: 400, body: { fields: { '(body)': 'is required' } } });
    await client.close();
  });

  it('a guard of the application guards the routes, and a refusal has the protocol’s shape', async () => {
    await start(platform, ROWS['a guard that is written for HTTP'] ?? {});
    expect(await callerOf({})('GET', '/ws/status')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  it('a provider of each request injects the service, and a second gateway is served beside ours', async () => {
    await start(platform, { controllers: [GreetingController], providers: [Greeter, ChatGateway] });
    const client = await TestClient.connect(`${url.replace('http', 'ws')}/ws`);
    expect((await callerOf({})('GET', '/greeting')).body).toEqual({ connections: 1 });
    const chat = new WebSocket(`${url.replace('http', 'ws')}/chat`);
    await new Promise((resolve) => chat.once('open', resolve));
    const said = new Promise<Buffer>((resolve) => chat.once('message', (data: Buffer) => resolve(data)));
    chat.send(JSON.stringify({ event: 'say', data: 'hello' }));
    expect(JSON.parse((await said).toString())).toEqual({ event: 'said', data: 'hello' });
    chat.terminate();
    await client.close();
  });

  it('a plain request to the path of the upgrades gets 426, and another path is the application’s', async () => {
    await start(platform, {});
    expect((await callerOf({})('GET', '/ws')).status).toBe(426);
    expect(await callerOf({})('GET', '/elsewhere')).toMatchObject({ status: 404, body: { statusCode: 404 } });
  });
});
