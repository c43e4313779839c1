/** REST bodies that were not understood: they get 4xx, and decide nothing. On the stand-alone service and in host applications. */
import 'reflect-metadata';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ValidationPipe, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { portOf } from '../../src/app/app.js';
import { NotificationModule, NotificationService, NotificationWsAdapter } from '../../src/notification/index.js';
import { startService, type TestService } from '../support/service.js';

type Headers = Record<string, string | string[]>;
interface Answered {
  status: number;
  body: { code?: string; fields?: Record<string, string>; state?: string; callback_id?: string };
}

/** Sends a body as it is. `fetch` would set headers of its own. */
async function send(port: number, method: string, path: string, headers: Headers, body?: string | Buffer): Promise<Answered> {
  const length = body === undefined || 'transfer-encoding' in headers ? {} : { 'content-length': Buffer.byteLength(body) };
  const request = httpRequest({ port, host: '127.0.0.1', method, path, headers: { ...headers, ...length } });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, body: text.startsWith('{') ? (JSON.parse(text) as Answered['body']) : {} };
}

const JSON_TYPE = { 'content-type': 'application/json' };
const YES = '{"proceed":true}';
const QUESTION = '{"user_id":"ann","task_id":"t","step":1,"step_result":{"message":"Deploy?"}}';

/** A new prompt's path. */
async function ask(port: number): Promise<string> {
  const { body } = await send(port, 'POST', '/ws/confirmations', JSON_TYPE, QUESTION);
  return `/ws/confirmations/${body.callback_id}`;
}

const NOT_UNDERSTOOD: [what: string, status: number, headers: Headers, body?: string | Buffer][] = [
  ['plain text', 415, { 'content-type': 'text/plain' }, YES],
  ['a vendor’s JSON', 415, { 'content-type': 'application/vnd.api+json' }, YES],
  ['a problem’s JSON', 415, { 'content-type': 'application/problem+json' }, YES],
  ['a form', 415, { 'content-type': 'application/x-www-form-urlencoded' }, 'proceed=true'],
  ['a form of several parts', 415, { 'content-type': 'multipart/form-data; boundary=x' }, '--x--'],
  ['bytes', 415, { 'content-type': 'application/octet-stream' }, YES],
  ['no type', 415, {}, YES],
  ['an empty type', 415, { 'content-type': '' }, YES],
  ['a type that only begins like JSON', 415, { 'content-type': 'application/jsonp' }, YES],
  ['another character set', 415, { 'content-type': 'application/json; charset=latin1' }, YES],
  ['UTF-16', 415, { 'content-type': 'application/json; charset=utf-16' }, Buffer.from(YES, 'utf16le')],
  ['UTF-16 that calls itself UTF-8', 400, JSON_TYPE, Buffer.from(YES, 'utf16le')],
  ['two types', 400, { 'content-type': ['application/json', 'text/plain'] }, YES],
  ['gzip', 415, { ...JSON_TYPE, 'content-encoding': 'gzip' }, gzipSync(YES)],
  ['bytes that are no UTF-8', 400, JSON_TYPE, Buffer.from([...Buffer.from('{"proceed":true,"feedback":"'), 0xff, 0x22, 0x7d])],
  ['no body', 400, {}],
  ['no body and a type', 400, JSON_TYPE],
  ['an empty body', 400, JSON_TYPE, ''],
  ['an empty body in chunks', 400, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, ''],
  ['a space', 400, JSON_TYPE, ' '],
  ['a text', 400, JSON_TYPE, JSON.stringify(YES)],
  ['a list', 400, JSON_TYPE, `[${YES}]`],
  ['null', 400, JSON_TYPE, 'null'],
  ['a cut body', 400, JSON_TYPE, '{"proceed":true'],
  ['two objects', 400, JSON_TYPE, `${YES}${YES}`],
  ['neither proceed nor choice', 400, JSON_TYPE, '{}'],
  ['a proceed of null', 400, JSON_TYPE, '{"proceed":null,"feedback":"yes"}'],
  ['a misspelt proceed', 400, JSON_TYPE, '{"procede":true}'],
  ['a proceed of text', 400, JSON_TYPE, '{"proceed":"true"}'],
  ['a proceed of 1', 400, JSON_TYPE, '{"proceed":1}'],
  ['proceed twice', 400, JSON_TYPE, '{"proceed":true,"proceed":false}'],
  ['a number that was rounded', 400, JSON_TYPE, '{"proceed":true,"values":{"row":2512292042121000001}}'],
  ['half a character', 400, JSON_TYPE, '{"proceed":true,"feedback":"\\ud800"}'],
  ['NUL in the feedback', 400, JSON_TYPE, '{"proceed":true,"feedback":"yes\\u0000 but"}'],
  ['__proto__', 400, JSON_TYPE, '{"__proto__":{"proceed":true}}'],
];

/** Every input in turn, on one prompt. */
async function expectNothingDecided(port: number, inputs = NOT_UNDERSTOOD): Promise<void> {
  const path = await ask(port);
  const got: unknown[] = [];
  for (const [what, , headers, body] of inputs)
    got.push([what, (await send(port, 'POST', `${path}/answer`, headers, body)).status]);
  expect(got).toEqual(inputs.map(([what, status]) => [what, status]));
  expect((await send(port, 'GET', path, {})).body).toMatchObject({ state: 'pending' });
  expect(
    (await send(port, 'POST', `${path}/answer`, { 'content-type': 'Application/JSON ; charset="UTF-8"' }, YES)).body,
  ).toMatchObject({
    state: 'answered',
    proceed: true,
  });
}

describe('a body that was not understood', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it('answers no prompt', () => expectNothingDecided(service.port));

  it.each([
    ['POST', '/ws/broadcast'],
    ['POST', '/ws/users/ann/messages'],
    ['POST', '/ws/users/ann/revoke'],
    ['POST', '/ws/confirmations'],
    ['DELETE', '/ws/confirmations/none'],
    ['POST', '/ws/tasks/t/messages'],
    ['POST', '/ws/tasks/t/heartbeat'],
    ['DELETE', '/ws/tasks/t/heartbeat'],
    ['POST', '/ws/tasks/t/cancel'],
    ['DELETE', '/ws/tasks/t/cancel'],
  ])('gets 415 on %s %s, whatever is in it', async (method, path) => {
    const { status, body } = await send(
      service.port,
      method,
      path,
      { 'content-type': 'text/plain' },
      '{"type":"x","user_id":"ann"}',
    );
    expect([status, body]).toEqual([
      415,
      { code: 'INVALID_MESSAGE', message: expect.any(String), fields: { 'Content-Type': expect.any(String) } },
    ]);
  });

  it.each([
    '/ws/broadcast',
    '/ws/users/ann/messages',
    '/ws/confirmations',
    '/ws/tasks/t/messages',
    '/ws/tasks/t/heartbeat',
    '/ws/tasks/t/cancel',
  ])('gets 400 on POST %s when there is none', async (path) => {
    expect(await send(service.port, 'POST', path, JSON_TYPE)).toMatchObject({
      status: 400,
      body: { fields: { '(body)': 'is required' } },
    });
  });

  it.each([
    ['DELETE', ''],
    ['POST', '/seen'],
  ])('is refused on %s …%s, which takes none, while an empty one passes', async (method, route) => {
    const path = await ask(service.port);
    for (const [text, body] of [
      ['{"proceed":tr', { code: 'INVALID_JSON' }],
      ['[]', { fields: { '(body)': expect.any(String) } }],
      [YES, { fields: { proceed: expect.any(String) } }],
    ] as const)
      expect(await send(service.port, method, `${path}${route}`, JSON_TYPE, text)).toMatchObject({
        status: 400,
        body,
      });
    expect((await send(service.port, 'GET', path, {})).body).toMatchObject({ state: 'pending' });
    for (const headers of [{}, JSON_TYPE, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }]) {
      const other = await ask(service.port);
      expect((await send(service.port, method, `${other}${route}`, headers, '')).status).toBe(200);
    }
    expect((await send(service.port, method, `${path}${route}`, JSON_TYPE, '{}')).status).toBe(200);
  });

  it.each([
    ['POST', '/ws/broadcast', '{"type":"x"}'],
    ['POST', '/ws/users/ann/revoke', undefined],
    ['POST', '/ws/users/ann/review', undefined],
    ['POST', 'PROMPT/answer', YES],
    ['POST', 'PROMPT/dismiss', '{}'],
    ['POST', 'PROMPT/seen', undefined],
    ['DELETE', 'PROMPT', undefined],
    ['POST', '/ws/tasks/t/messages', '{"type":"x"}'],
    ['POST', '/ws/tasks/t/heartbeat', '{"user_id":"ann"}'],
    ['DELETE', '/ws/tasks/t/heartbeat', undefined],
    ['POST', '/ws/tasks/t/cancel', '{}'],
    ['DELETE', '/ws/tasks/t/cancel', undefined],
  ])('is not the only input: an unknown name in the query of %s %s gets 400', async (method, route, body) => {
    const path = await ask(service.port);
    const target = `${route.replace('PROMPT', path)}?dry_run=true`;
    expect(await send(service.port, method, target, body === undefined ? {} : JSON_TYPE, body)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_MESSAGE', fields: { dry_run: expect.any(String) } },
    });
    expect((await send(service.port, 'GET', path, {})).body).toMatchObject({ state: 'pending' });
  });

  it('decides nothing when it breaks off', async () => {
    const path = await ask(service.port);
    const socket = connectTcp(service.port, '127.0.0.1');
    socket.write(
      `POST ${path}/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n${YES}`,
    );
    await once(socket, 'connect');
    socket.end();
    await once(socket.resume(), 'close');
    expect((await send(service.port, 'GET', path, {})).body).toMatchObject({ state: 'pending' });
  });

  it('may begin with a byte order mark', async () => {
    const path = await ask(service.port);
    expect((await send(service.port, 'POST', `${path}/answer`, JSON_TYPE, `\ufeff${YES}`)).status).toBe(200);
  });

  it('is refused when its values are larger than a frame', async () => {
    const form = '"input_schema":{"type":"object","properties":{"a":{"type":"string"}}}';
    const asked = await send(service.port, 'POST', '/ws/confirmations', JSON_TYPE, `${QUESTION.slice(0, -1)},${form}}`);
    const path = `/ws/confirmations/${asked.body.callback_id}/answer`;
    const answer = (size: number): string => `{"proceed":true,"values":{"a":"${'x'.repeat(size - 8)}"}}`;
    expect(await send(service.port, 'POST', path, JSON_TYPE, answer(65_537))).toMatchObject({
      status: 400,
      body: { fields: { values: expect.any(String) } },
    });
    expect((await send(service.port, 'POST', path, JSON_TYPE, answer(65_536))).status).toBe(200);
  });
});

describe('a header that carries a name or a secret', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ environment: { WEBSOCKET_API_KEYS: 'a-key-of-sixteen-characters' } });
  });
  afterAll(() => service.stop());
  const key = { 'x-api-key': 'a-key-of-sixteen-characters', ...JSON_TYPE };

  it.each([
    ['Latin-1', 'aufgabe-\u00fc'],
    ['UTF-8', Buffer.from('aufgabe-ü').toString('latin1')],
  ])('is refused by name when its text is %s', async (_what, text) => {
    for (const [name, headers] of [
      ['Idempotency-Key', { ...key, 'idempotency-key': text }],
      ['X-API-Key', { ...JSON_TYPE, 'x-api-key': text }],
      ['Authorization', { ...JSON_TYPE, authorization: `Bearer ${text}` }],
    ] as const)
      expect(await send(service.port, 'POST', '/ws/confirmations', headers, QUESTION)).toMatchObject({
        status: 400,
        body: { code: 'INVALID_MESSAGE', fields: { [name]: 'must be ASCII' } },
      });
  });

  it('is refused by name when it is given twice', async () => {
    const headers = { ...key, 'idempotency-key': ['one', 'two'] };
    expect(await send(service.port, 'POST', '/ws/confirmations', headers, QUESTION)).toMatchObject({
      status: 400,
      body: { fields: { 'Idempotency-Key': 'is given twice' } },
    });
  });
});

describe('a host application', () => {
  let app: INestApplication | undefined;
  afterEach(() => app?.close());

  async function start(prepare: (app: NestExpressApplication) => void, bodyParser: boolean): Promise<number> {
    const testing = await Test.createTestingModule({ imports: [NotificationModule.forRoot({ dataDir: ':memory:' })] }).compile();
    const created = testing.createNestApplication<NestExpressApplication>({ bodyParser });
    app = created;
    app.useLogger(false);
    prepare(created);
    app.useWebSocketAdapter(new NotificationWsAdapter(app));
    await app.listen(0, '127.0.0.1');
    return portOf(app.getHttpServer() as Server);
  }

  it.each<[string, (app: NestExpressApplication) => void, boolean]>([
    ['has Nest’s own parsers', () => undefined, true],
    ['has no parsers', () => undefined, false],
    ['reads every body as text', (host) => void host.useBodyParser('text', { type: '*/*' }), false],
    ['reads every body as bytes', (host) => void host.useBodyParser('raw', { type: '*/*' }), false],
    ['reads every body as JSON', (host) => void host.useBodyParser('json', { type: '*/*', strict: false }), true],
    ['reads every body as a form', (host) => void host.useBodyParser('urlencoded', { type: '*/*', extended: true }), true],
    ['reads JSON of any type', (host) => void host.useBodyParser('json', { type: '*/*' }), true],
    [
      'has strict pipes',
      (host) => void host.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true })),
      true,
    ],
  ])('decides nothing either when it %s', async (_what, prepare, bodyParser) => {
    const port = await start(prepare, bodyParser);
    const path = await ask(port);
    for (const [what, , headers, body] of NOT_UNDERSTOOD) {
      const answered = await send(port, 'POST', `${path}/answer`, headers, body);
      // What the application's own parser refuses first gets that parser's status.
      expect([what, Math.floor(answered.status / 100)]).toEqual([what, 4]);
    }
    expect((await send(port, 'GET', path, {})).body).toMatchObject({ state: 'pending' });
    expect((await send(port, 'POST', `${path}/answer`, JSON_TYPE, YES)).status).toBe(200);
  });

  it('changes no value with strict pipes', async () => {
    const port = await start(
      (host) => void host.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true })),
      true,
    );
    const metadata = { constructor: 1, toString: { valueOf: 'x' }, hasOwnProperty: [true] };
    const asked = await send(
      port,
      'POST',
      '/ws/confirmations',
      JSON_TYPE,
      `${QUESTION.slice(0, -1)},"metadata":${JSON.stringify(metadata)}}`,
    );
    const { prompt } = await app!.get(NotificationService).getConfirmation(String(asked.body.callback_id));
    expect(JSON.stringify(prompt.metadata)).toBe(JSON.stringify(metadata));
  });
});
