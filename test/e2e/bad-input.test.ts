/** Faulty input: each gets the error that PROTOCOL.md gives it, and the service goes on. */
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { startService, type TestService } from '../support/service.js';
import type { TestClient } from '../support/client.js';

let service: TestService;
let client: TestClient;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  client = await service.connect();
});
afterEach(() => client.close());

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);

describe('a bad frame', () => {
  it.each([
    ['no JSON', '{"action": ', 'INVALID_JSON'],
    ['nothing', '', 'INVALID_JSON'],
    ['an array', '[1,2]', 'INVALID_MESSAGE'],
    ['null', 'null', 'INVALID_MESSAGE'],
    ['a number', '42', 'INVALID_MESSAGE'],
    ['no action', '{}', 'INVALID_MESSAGE'],
    ['an action of another type', '{"action": 5}', 'INVALID_MESSAGE'],
    ['a request_id of another type', '{"action": "ping", "request_id": {}}', 'INVALID_MESSAGE'],
    ['an unknown action', '{"action": "dance"}', 'UNKNOWN_ACTION'],
    ['an action that is a method name', '{"action": "constructor"}', 'UNKNOWN_ACTION'],
    ['10 000 nested arrays', `{"action": "ping", "x": ${nested(10_000, '[', ']')}}`, 'INVALID_MESSAGE'],
    ['10 000 nested objects', `{"action": "ping", "x": ${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, 'INVALID_MESSAGE'],
    ['__proto__', '{"action": "confirm", "__proto__": {"proceed": true}, "callback_id": "x"}', 'INVALID_MESSAGE'],
    ['a nested __proto__', '{"action": "ping", "x": {"__proto__": {"polluted": true}}}', 'INVALID_MESSAGE'],
    ['a confirm without callback_id', '{"action": "confirm", "proceed": true}', 'INVALID_MESSAGE'],
    [
      'a confirm with a proceed of another type',
      '{"action": "confirm", "callback_id": "x", "proceed": "yes"}',
      'INVALID_MESSAGE',
    ],
    ['a recover of another type', '{"action": "subscribe", "user_id": "x", "recover": []}', 'INVALID_MESSAGE'],
    [
      'a recover with a negative offset',
      '{"action": "subscribe", "user_id": "x", "recover": {"epoch": "e", "offset": -1}}',
      'INVALID_MESSAGE',
    ],
    ['a user_id of another type', '{"action": "subscribe", "user_id": {"a": 1}}', 'INVALID_MESSAGE'],
    ['a cancel without task_id', '{"action": "cancel", "user_id": "x"}', 'INVALID_MESSAGE'],
    ['an ack of nothing', '{"action": "ack"}', 'INVALID_MESSAGE'],
    ['a limit too large', '{"action": "pending", "limit": 1e9}', 'INVALID_MESSAGE'],
    ['a cursor that is none', '{"action": "pending", "cursor": "not a cursor"}', 'INVALID_MESSAGE'],
  ])('is answered and leaves the connection open: %s', async (_what, text, code) => {
    client.sendUnchecked(text);
    const error = await client.next('error');
    expect(error).toMatchObject({ code, message: expect.any(String), timestamp: expect.any(Number) });
    await client.settled();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('has the old component’s exact words for bad JSON and unknown actions', async () => {
    client.sendUnchecked('nonsense');
    expect((await client.next('error'))['message']).toBe('Invalid JSON format');
    client.sendUnchecked({ action: 'jump', request_id: 'r' });
    expect(await client.next('error')).toMatchObject({ message: 'Unknown action: jump', request_id: 'r' });
  });

  it('names the faulty field', async () => {
    expect(await client.requestUnchecked({ action: 'confirm', callback_id: 3 })).toMatchObject({
      fields: { callback_id: expect.any(String) },
    });
  });
});

describe('binary frames', () => {
  it('are decoded as UTF-8 JSON', async () => {
    client.socket.send(Buffer.from('{"action":"ping","x":"ü"}'));
    expect((await client.next('pong'))['original_data']).toEqual({ action: 'ping', x: 'ü' });
  });

  it('are answered when they are garbage', async () => {
    client.socket.sendUnchecked(randomBytes(512));
    expect(await client.next('error')).toMatchObject({ code: 'INVALID_JSON' });
    await client.settled();
  });
});

describe('a frame over the limit', () => {
  it('closes the connection with 1009; one of exactly 64 KiB is accepted', async () => {
    const frame = (size: number): string => `{"action":"ping","x":"${'x'.repeat(size - 24)}"}`;
    client.send(frame(65_536));
    await client.next('pong');
    const other = await service.connect();
    other.send(frame(65_537));
    expect(await other.closed()).toEqual({ code: 1009, reason: 'frame too large' });
  });

  it('is refused also when only its unpacked size is over the limit', async () => {
    const bomb = await service.connect({ perMessageDeflate: { threshold: 0 } });
    bomb.send(`{"action":"ping","x":"${'x'.repeat(1_000_000)}"}`);
    expect((await bomb.closed()).code).toBe(1009);
  });
});

describe('a frame in fragments of one byte', () => {
  it('is put together and answered, and closes with 1009 when it grows over the limit', async () => {
    const text = '{"action":"ping","request_id":"pieces"}';
    for (let index = 0; index < text.length; index += 1)
      client.socket.sendUnchecked(text.charAt(index), { fin: index === text.length - 1 });
    expect(await client.next('pong')).toMatchObject({ request_id: 'pieces' });
    const endless = await service.connect();
    endless.socket.sendUnchecked('x'.repeat(4 * 65_536 - 10), { fin: false });
    for (let sent = 0; sent < 20; sent += 1) endless.socket.sendUnchecked('x', { fin: false });
    expect((await endless.closed()).code).toBe(1009);
  });
});

describe('many frames at once', () => {
  it('5 000 pipelined ones are all answered, in order', async () => {
    for (let request_id = 0; request_id < 5000; request_id += 1) client.send({ action: 'ping', request_id });
    for (let request_id = 0; request_id < 5000; request_id += 1) expect((await client.next())['request_id']).toBe(request_id);
  });

  it('get RATE_LIMITED with their request_id over the rate; then the connection is closed with 1008', async () => {
    const strict = await startService({ environment: { WEBSOCKET_RATE_LIMIT: '5', WEBSOCKET_RATE_BURST: '5' } });
    const fast = await strict.connect();
    for (let count = 0; count < 30; count += 1) fast.send({ action: 'ping', request_id: 'r' });
    expect(await fast.next('error')).toMatchObject({ code: 'RATE_LIMITED', request_id: 'r' });
    expect((await fast.closed()).code).toBe(1008);
    await strict.stop();
  });
});

describe('a bad REST body', () => {
  const deep = `{"type":"x","a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
  it.each([
    ['is 10 000 levels deep', '/ws/broadcast', deep],
    [
      'hides the depth in metadata',
      '/ws/confirmations',
      `{"user_id":"u","task_id":"t","step":1,"step_result":{"message":"x"},"metadata":${deep}}`,
    ],
    ['has __proto__', '/ws/broadcast', '{"type":"x","__proto__":{"polluted":true}}'],
    ['is over a megabyte', '/ws/broadcast', `{"type":"x","a":"${'x'.repeat(1_100_000)}"}`],
  ])('is refused: %s', async (_what, path, body) => {
    const { status, body: error } = await service.rest('POST', path, body);
    expect(status).toBe(400);
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('is refused without quoting the path when that is not UTF-8', async () => {
    const { status, body } = await service.rest('GET', '/ws/tasks/%FFsecret');
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('gets NOT_FOUND on an unknown route', async () => {
    expect(await service.rest('GET', '/nowhere')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });
});

describe('raw bytes', () => {
  const handshake = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;

  /** An empty mask leaves the payload readable. */
  const maskedFrame = (text: string): Buffer =>
    Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

  it('a frame in the segment of the handshake is answered', async () => {
    const socket = connectTcp(service.port, '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(handshake('/ws')), maskedFrame('{"action":"ping","request_id":1}')]));
    let received = '';
    for await (const chunk of socket) {
      received += (chunk as Buffer).toString();
      if (received.includes('"type":"pong"')) break;
    }
    expect(received).toMatch(/^HTTP\/1\.1 101/);
    socket.destroy();
  });

  it('an unmasked frame closes with 1002', async () => {
    const socket = connectTcp(service.port, '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(handshake('/ws')), Buffer.from([0x81, 0x02, 0x7b, 0x7d])]));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    expect(Buffer.concat(chunks).includes(Buffer.from([0x03, 0xea]))).toBe(true);
  });

  it('a reset in the middle of the handshake harms nobody', async () => {
    const socket = connectTcp(service.port, '127.0.0.1');
    socket.write(handshake('/ws').slice(0, 40));
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await client.settled();
  });
});
