/** The parts of the webhook's room: pauses, log lines, and one attempt against a real server. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { pauseMs, retryAfterMs } from '../../src/notification/webhook/back-off.js';
import { FailureLog } from '../../src/notification/webhook/failure-log.js';
import { Receiver } from '../../src/notification/webhook/receiver.js';
import { keyOf, signatures } from '../../src/notification/webhook/signature.js';
import { SECRET } from '../support/webhook-receiver.js';

describe('the pause after a failure', () => {
  it('begins near a second, doubles, and grows to five minutes', () => {
    expect([1, 2, 3, 4].map((attempt) => pauseMs(attempt, 0, 0.5))).toEqual([1000, 2000, 4000, 8000]);
    expect([pauseMs(1, 0, 0), pauseMs(1, 0, 1)]).toEqual([750, 1250]);
    for (const attempt of [10, 60, 5000]) expect(pauseMs(attempt, 0, 0.5)).toBe(300_000);
  });

  it('is as long as the receiver asks, where that is longer, up to an hour', () => {
    expect(pauseMs(1, 60_000, 0.5)).toBe(60_000);
    expect(pauseMs(9, 1000, 0.5)).toBe(256_000);
    expect(pauseMs(1, 86_400_000, 0.5)).toBe(3_600_000);
  });

  it.each<[string | null, number | undefined]>([
    [null, undefined],
    ['7', 7000],
    [' 7 ', 7000],
    ['0', undefined],
    ['Wed, 21 Oct 2026 07:28:10 GMT', 10_000],
    ['Wed, 21 Oct 2026 07:27:00 GMT', undefined],
    ['soon', undefined],
    ['-5', undefined],
  ])('is read from Retry-After: %p', (header, expected) => {
    expect(retryAfterMs(header, Date.parse('2026-10-21T07:28:00Z'))).toBe(expected);
  });
});

describe('the log', () => {
  let now: number;
  let lines: string[];
  let failures: FailureLog;
  beforeEach(() => {
    [now, lines] = [0, []];
    failures = new FailureLog(
      (line) => lines.push(line),
      () => now,
    );
  });

  it('the log has one line when a receiver begins to fail and one when it works again', () => {
    failures.succeeded();
    for (let attempt = 0; attempt < 100; attempt += 1) failures.failed('500');
    expect(failures.isFailing).toBe(true);
    for (let attempt = 0; attempt < 100; attempt += 1) failures.succeeded();
    expect(lines).toEqual([expect.stringContaining('fails (500)'), expect.stringContaining('again')]);
  });

  it('the log has one line a minute for a receiver that fails now and then', () => {
    for (; now < 600_000; now += 100) {
      failures.failed('500');
      failures.succeeded();
    }
    expect(lines).toHaveLength(20);
  });

  it('the log has one line a minute with the count of all dropped webhook events', () => {
    for (; now <= 120_000; now += 1000) failures.dropped(2);
    expect(lines.map((line) => Number.parseInt(line, 10))).toEqual([2, 120, 120]);
  });
});

it('a signature is of the id, the moment and the body, as the reference library has it', () => {
  const moment = new Date();
  moment.setMilliseconds(0);
  const body = '{"type":"x","text":"ü"}';
  const expected = new Webhook(SECRET).sign('decision-1', moment, body);
  expect(signatures([keyOf(SECRET)], 'decision-1', moment.getTime() / 1000, body)).toBe(expected);
});

describe('an attempt', () => {
  let server: Server;
  const listen = async (take: RequestListener): Promise<string> => {
    server = createServer(take).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const receiver = (url: string, timeoutMs = 5000): Receiver => new Receiver({ url, secret: [SECRET], timeoutMs });
  const never = new AbortController().signal;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('an attempt takes credentials out of the address, and no log shows them', async () => {
    let seen: unknown;
    const host = await listen((request, response) => {
      seen = [request.url, request.headers.authorization];
      response.writeHead(500).end();
    });
    expect(await receiver(`http://some%20one:p%40ss@${host}/a?b`).post('id', '{}', never)).toEqual({
      delivered: false,
      result: '5xx',
      reason: '500',
    });
    expect(seen).toEqual(['/a?b', `Basic ${Buffer.from('some one:p@ss').toString('base64')}`]);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    expect(await receiver(`http://someone:password@${host}`).post('id', '{}', never)).toEqual({
      delivered: false,
      result: 'unreachable',
      reason: 'ECONNREFUSED',
    });
  });

  it('does not read what comes back, however long it is', async () => {
    let closed!: () => void;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const host = await listen((_request, response) => {
      response.writeHead(200).write('x');
      const flood = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.once('close', () => {
        clearInterval(flood);
        closed();
      });
    });
    expect(await receiver(`http://${host}`).post('id', '{}', never)).toEqual({ delivered: true, result: 'delivered' });
    await gone;
  });

  it('ends with its time, and with the service', async () => {
    const host = await listen(() => undefined);
    expect(await receiver(`http://${host}`, 50).post('id', '{}', never)).toEqual({
      delivered: false,
      result: 'timeout',
      reason: 'no answer in time',
    });
    const stop = new AbortController();
    server.once('request', () => stop.abort());
    expect(await receiver(`http://${host}`).post('id', '{}', stop.signal)).toMatchObject({ delivered: false });
  });
});
