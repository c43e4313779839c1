/**
 * Every family of `GET /metrics`, under known traffic over real sockets. Each row says which samples change and by how much;
 * nothing else may change.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AuditTrail } from '../../src/notification/access/audit.js';
import { NodeMetrics } from '../../src/app/node-metrics.js';
import { NotificationModule, NotificationService } from '../../src/notification/index.js';
import { NotificationMetrics } from '../../src/notification/notification.metrics.js';
import { World } from '../../src/testing/index.js';
import { type TestClient } from '../support/client.js';
import { SECRET as JWT_SECRET, sign } from '../support/jwt.js';
import { rowsOf } from '../support/metric-families.js';
import { startService, type TestService } from '../support/service.js';
import { failing, SECRET, taken, WebhookReceiver } from '../support/webhook-receiver.js';

type Samples = Record<string, number>;

/** Of the process, not of the service. */
const FOREIGN = /^(process|nodejs)_/;
/** Their values depend on the clock; a test of its own reads them. */
const TIMED =
  /^(\w+_seconds_(sum|bucket)|webhook_oldest_seconds|engine_call_seconds|websocket_(received|sent)_bytes|websocket_round_trip|websocket_send_queue|websocket_clock|log_waiting_bytes|websocket_http_responses_total\{status="200"|websocket_frames_sent_total\{type="confirmation_expiring")/;
const PATIENCE_MS = 10_000;
/** What every prompt to the one connected person changes. */
const OPENED: Samples = {
  confirmations_opened_total: 1,
  confirmations_most_per_user: 1,
  websocket_messages_sent_total: 1,
  'websocket_frames_sent_total{type="task_step_result"}': 1,
  'websocket_delivery_seconds_count{kind="confirmation"}': 1,
};

const readText = async ({ url }: TestService): Promise<string> => (await fetch(`${url}/metrics`)).text();

function samplesOf(text: string): Samples {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !FOREIGN.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

const read = async (service: TestService): Promise<Samples> => samplesOf(await readText(service));

function changesOf(before: Samples, after: Samples): Samples {
  const changes = Object.entries(after).map(([sample, value]) => [sample, value - (before[sample] ?? 0)] as const);
  return Object.fromEntries(changes.filter(([sample, change]) => change !== 0 && !TIMED.test(sample)));
}

/** Some counts move when the server sees what the client did. */
async function expectChanges(service: TestService, before: Samples, expected: Samples): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  const inOrder = (samples: Samples): string => JSON.stringify(Object.entries(samples).sort());
  let changes = changesOf(before, await read(service));
  while (inOrder(changes) !== inOrder(expected) && performance.now() < end) {
    await delay(20);
    changes = changesOf(before, await read(service));
  }
  expect(changes).toEqual(expected);
}

/** @returns the status of a handshake that is refused */
const refusedHandshake = ({ port }: TestService, headers: Record<string, string>, path = '/ws'): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const key = { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
    request({ port, host: '127.0.0.1', path, headers: { ...upgrade, ...key, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });

describe('the metrics', () => {
  let service: TestService;
  let receiver: WebhookReceiver;
  let ann: TestClient;
  let callbackId: unknown;
  const ask = async (taskId: string, options: object = {}): Promise<void> => {
    service.ask({ message: '?' }, 'ann', taskId, 1, options);
    callbackId = (await ann.next({ type: 'task_step_result', task_id: taskId }))['callback_id'];
  };

  beforeAll(async () => {
    receiver = await WebhookReceiver.start();
    service = await startService({
      environment: {
        WEBSOCKET_MAX_CONNECTIONS: '2',
        WEBSOCKET_WEBHOOK_URL: receiver.url,
        WEBSOCKET_WEBHOOK_SECRET: SECRET,
        WEBSOCKET_WEBHOOK_EVENTS: 'task.cancelled',
        // Takes no line.
        WEBSOCKET_AUDIT_FILE: '/dev/full',
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await receiver.stop();
  });

  const rows: [what: string, act: () => Promise<unknown>, changes: Samples][] = [
    [
      'a connection that opens',
      async () => (ann = await service.connect()),
      { websocket_connections: 1, websocket_connections_total: 1 },
    ],
    [
      'a frame that is answered',
      () => ann.request({ action: 'subscribe', user_id: 'ann' }),
      {
        websocket_frames_received_total: 1,
        'websocket_actions_total{action="subscribe"}': 1,
        'websocket_frames_sent_total{type="subscription_confirmed"}': 1,
      },
    ],
    [
      'frames that are refused',
      async () => {
        ann.sendUnchecked('{');
        await ann.next({ code: 'INVALID_JSON' });
        for (const callback_id of ['no', 'none']) await ann.request({ action: 'confirm', callback_id, proceed: true });
      },
      {
        websocket_frames_received_total: 3,
        'websocket_actions_total{action="unreadable"}': 1,
        'websocket_actions_total{action="confirm"}': 2,
        'websocket_frames_sent_total{type="error"}': 3,
        'websocket_errors_total{code="INVALID_JSON"}': 1,
        'websocket_errors_total{code="NOT_FOUND"}': 2,
      },
    ],
    [
      'handshakes that are refused',
      async () => {
        const evil = await refusedHandshake(service, { origin: 'https://evil.example' });
        const malformed = await refusedHandshake(service, { 'sec-websocket-key': 'short' });
        expect([evil, malformed, await refusedHandshake(service, {}, '/elsewhere')]).toEqual([403, 400, 404]);
      },
      {
        websocket_connections_failed_total: 3,
        'websocket_handshakes_refused_total{reason="forbidden"}': 1,
        'websocket_handshakes_refused_total{reason="malformed"}': 1,
        'websocket_handshakes_refused_total{reason="not_found"}': 1,
      },
    ],
    [
      'a connection over the limit',
      async () => {
        const second = await service.connect();
        expect(await (await service.connect()).closed()).toMatchObject({ code: 1013 });
        await second.close();
      },
      {
        websocket_connections_total: 1,
        websocket_connections_failed_total: 1,
        'websocket_handshakes_refused_total{reason="connection_limit"}': 1,
        'websocket_closes_total{code="1005"}': 1,
      },
    ],
    [
      'a connection that closes with a code of the client’s own',
      async () => {
        const visitor = await service.connect();
        visitor.socket.close(4242);
        await visitor.closed();
      },
      { websocket_connections_total: 1, 'websocket_closes_total{code="other"}': 1 },
    ],
    [
      'a message',
      () => service.rest('POST', '/ws/broadcast', { type: 'news' }),
      {
        websocket_messages_sent_total: 1,
        'websocket_frames_sent_total{type="application"}': 1,
        'websocket_delivery_seconds_count{kind="message"}': 1,
        'websocket_http_responses_total{status="202"}': 1,
      },
    ],
    [
      'recoveries, with and without a gap',
      async () => {
        const { epoch, offset } = await ann.request({ action: 'subscribe', channel: 'broadcast' });
        for (const recover of [
          { epoch, offset: Number(offset) - 1 },
          { epoch: 'another', offset: 1 },
        ]) {
          ann.send({ action: 'subscribe', channel: 'broadcast', recover });
          await ann.next({ type: 'recovered' });
        }
      },
      {
        websocket_frames_received_total: 3,
        'websocket_actions_total{action="subscribe"}': 3,
        'websocket_frames_sent_total{type="subscription_confirmed"}': 3,
        'websocket_frames_sent_total{type="application"}': 1,
        'websocket_frames_sent_total{type="recovered"}': 2,
        'websocket_recoveries_total{result="recovered"}': 1,
        'websocket_recoveries_total{result="gap"}': 1,
      },
    ],
    [
      'a confirmation that is opened',
      () => ask('answered'),
      {
        ...OPENED,
        pending_callbacks: 1,
        'confirmations_pending{age="under_1m"}': 1,
        confirmations_asked_users: 1,
      },
    ],
    [
      'an answer',
      () => ann.request({ action: 'confirm', callback_id: callbackId, proceed: true }),
      {
        pending_callbacks: -1,
        'confirmations_pending{age="under_1m"}': -1,
        websocket_frames_received_total: 1,
        'websocket_actions_total{action="confirm"}': 1,
        'websocket_frames_sent_total{type="confirmation_accepted"}': 1,
        'confirmation_decisions_total{outcome="answered",via="websocket"}': 1,
        'confirmations_decided_total{outcome="answered"}': 1,
        confirmation_response_seconds_count: 1,
      },
    ],
    [
      'a confirmation that is withdrawn',
      async () => {
        await ask('withdrawn');
        await service.rest('DELETE', `/ws/confirmations/${String(callbackId)}`);
      },
      {
        ...OPENED,
        'confirmations_decided_total{outcome="withdrawn"}': 1,
        'confirmation_decisions_total{outcome="withdrawn",via="rest"}': 1,
        'websocket_frames_sent_total{type="confirmation_resolved"}': 1,
      },
    ],
    [
      'a deadline that passes',
      () => ask('timed out', { timeoutMs: 1 }),
      {
        ...OPENED,
        'confirmations_decided_total{outcome="timed_out"}': 1,
        'confirmation_decisions_total{outcome="timed_out",via="clock"}': 1,
        'websocket_frames_sent_total{type="confirmation_resolved"}': 1,
      },
    ],
    [
      'a task that is cancelled, and the webhook that reports it',
      async () => {
        await ask('cancelled');
        await ann.request({ action: 'cancel', user_id: 'ann', task_id: 'cancelled' });
      },
      {
        ...OPENED,
        websocket_frames_received_total: 1,
        'websocket_actions_total{action="cancel"}': 1,
        'websocket_frames_sent_total{type="confirmation_resolved"}': 1,
        'websocket_frames_sent_total{type="task_cancelled"}': 1,
        'confirmations_decided_total{outcome="cancelled"}': 1,
        'confirmation_decisions_total{outcome="cancelled",via="websocket"}': 1,
        webhook_sent_total: 1,
        'webhook_attempts_total{result="delivered"}': 1,
        webhook_seconds_count: 1,
      },
    ],
    [
      'a webhook that the receiver does not take',
      async () => {
        receiver.answering = failing(503, { 'retry-after': '1' });
        await ann.request({ action: 'cancel', user_id: 'ann', task_id: 'another' });
      },
      {
        websocket_frames_received_total: 1,
        'websocket_actions_total{action="cancel"}': 1,
        'websocket_frames_sent_total{type="task_cancelled"}': 1,
        webhook_failed_total: 1,
        'webhook_attempts_total{result="5xx"}': 1,
        webhook_seconds_count: 1,
        webhook_pending: 1,
      },
    ],
    [
      'a webhook that the receiver takes later',
      async () => {
        expect((await read(service))['webhook_oldest_seconds']).toBeGreaterThan(0);
        receiver.answering = taken;
      },
      {
        webhook_sent_total: 1,
        'webhook_attempts_total{result="delivered"}': 1,
        webhook_seconds_count: 1,
        webhook_pending: -1,
      },
    ],
    [
      'log lines that are lost',
      async () => {
        // 1 MiB is kept: two of four lines.
        const what = 'x'.repeat(400_000);
        const waiting = 'log_waiting_bytes{log="audit"}';
        const before = (await read(service))[waiting] ?? 0;
        for (let line = 0; line < 4; line += 1)
          service.app.get(AuditTrail).record({ event: 'prompt', by: null, means: 'rest', what });
        const entry = JSON.stringify({ at: Date.now(), event: 'prompt', by: null, means: 'rest', what });
        const grown = ((await read(service))[waiting] ?? 0) - before;
        expect(grown).toBe(2 * (entry.length + 1));
      },
      { 'log_lines_lost_total{log="audit"}': 2 },
    ],
    [
      'a service that is stopped',
      async () => {
        await service.notifications.stopServer();
        expect(await ann.closed()).toMatchObject({ code: 1012 });
      },
      { websocket_running: -1, websocket_connections: -1, 'websocket_closes_total{code="1012"}': 1 },
    ],
  ];

  it.each(rows)('count %s exactly', async (_what, act, changes) => {
    const before = await read(service);
    await act();
    await expectChanges(service, before, changes);
  });

  it('have no family without a test of its exact value', async () => {
    const elsewhere = [
      ...['websocket_messages_failed_total', 'websocket_slow_closes_total', 'websocket_round_trip_seconds'],
      ...['websocket_round_trip_mean_seconds', 'websocket_reconnects_total'],
      ...['websocket_received_bytes_total', 'websocket_sent_bytes_total', 'websocket_connections_limit'],
      ...['websocket_send_queue_bytes', 'websocket_send_queue_longest_bytes', 'websocket_round_trip_spread_seconds'],
      ...['confirmation_deadlines_late_total', 'engine_call_seconds', 'engine_up', 'engine_nodes'],
      // Of an engine that is away: metrics-of-redis.test.ts and test/fault/frozen-node.test.ts.
      ...['engine_errors_total', 'engine_gaps_total', 'engine_leases_lost_total'],
      'webhook_dropped_total',
      'webhook_oldest_seconds',
      ...['confirmation_response_seconds', 'websocket_clock_seconds', 'log_waiting_bytes'],
    ];
    const families = [...(await readText(service)).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
    const changed = rows.flatMap(([, , changes]) =>
      Object.keys(changes).map((sample) => sample.replace(/(_count)?(\{.*)?$/, '')),
    );
    const untested = families.filter((name) => !FOREIGN.test(name) && ![...changed, ...elsewhere].includes(name));
    expect(untested).toEqual([]);
  });

  it('stand in docs/metrics.md with type, unit, labels and meaning, and nothing else stands there', async () => {
    const page = readFileSync('docs/metrics.md', 'utf8');
    const [, families = '', labels = ''] = page.split('\n## ');
    const rowsIn = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('| `'));
    const inOneSpace = (line: string): string => line.replaceAll(/ {2,}/g, ' ');
    const expected = await rowsOf(await service.app.get(NodeMetrics).read());
    expect(rowsIn(families).map(inOneSpace)).toEqual(expected);
    const used = new Set(
      expected.flatMap((row) => [...row.matchAll(/(?<=[|,] )`(\w+)`(?=,| \|)/g)].slice(1).map(([, label = '']) => label)),
    );
    expect(rowsIn(labels).map((line) => /^\| `(\w+)`/.exec(line)?.[1])).toEqual([...used].sort());
  });
});

describe('the metrics of time', () => {
  it('are the time from a prompt to its answer, as the store has both, and its average in seconds in the health object', async () => {
    const service = await startService();
    const timeout = 3600;
    const times: number[] = [];
    for (const task_id of ['a', 'b']) {
      const body = { user_id: 'ann', task_id, step: 1, step_result: { message: '?' }, timeout };
      const { callback_id, expires_at } = (await service.rest('POST', '/ws/confirmations', body)).body;
      await delay(20);
      await service.rest('POST', `/ws/confirmations/${String(callback_id)}/answer`, { proceed: true });
      const { answered_at } = (await service.rest('GET', `/ws/confirmations/${String(callback_id)}`)).body;
      times.push(Number(answered_at) - (Number(expires_at) - timeout));
    }
    const sum = times.reduce((total, time) => total + time, 0);
    expect(Math.min(...times)).toBeGreaterThan(0.015);
    const samples = await read(service);
    expect(samples['confirmation_response_seconds_sum']).toBeCloseTo(sum, 6);
    expect(samples['confirmation_response_seconds_count']).toBe(2);
    expect(samples['confirmation_response_seconds_bucket{le="+Inf"}']).toBe(2);
    const inTime = times.filter((time) => time <= 0.1).length;
    expect(samples['confirmation_response_seconds_bucket{le="0.1"}']).toBe(inTime);
    const { metrics } = (await service.rest('GET', '/ws/health')).body as unknown as { metrics: Samples };
    expect(metrics['avg_response_time']).toBeCloseTo(sum / 2, 6);
    await service.stop();
  });
});

describe('the metrics of traffic', () => {
  it('are the bytes of every frame, round-trip times, and the calls of the engine', async () => {
    const service = await startService({ environment: { WEBSOCKET_PING_INTERVAL: '0.1' } });
    const client = await service.connect({ perMessageDeflate: false });
    const before = await read(service);
    const ping = JSON.stringify({ action: 'ping', text: 'ünï' });
    client.socket.send(ping);
    const pong = Buffer.byteLength(JSON.stringify(await client.next('pong')));
    expect((await service.rest('GET', '/ws/confirmations/none')).status).toBe(404);
    const after = await read(service);
    const grown = (sample: string): number => (after[sample] ?? 0) - (before[sample] ?? 0);
    expect(grown('websocket_received_bytes_total')).toBe(Buffer.byteLength(ping));
    expect(grown('websocket_sent_bytes_total{type="pong"}')).toBe(pong + 2);
    expect(grown('websocket_http_responses_total{status="404"}')).toBe(1);
    expect(grown('engine_call_seconds_count{part="confirmations"}')).toBe(1);
    expect(after['websocket_clock_seconds']).toBeGreaterThanOrEqual((before['websocket_clock_seconds'] ?? Infinity) - 0.001);
    expect(Math.abs(Date.now() / 1000 - (after['websocket_clock_seconds'] ?? 0))).toBeLessThan(30);
    expect(after).toMatchObject({
      websocket_connections_limit: 1000,
      engine_up: 1,
      engine_nodes: 1,
      'engine_errors_total{reason="unavailable"}': 0,
      'engine_errors_total{reason="fault"}': 0,
    });
    while (((await read(service))['websocket_round_trip_seconds_count'] ?? 0) < 2) await delay(20);
    const { websocket_round_trip_seconds_sum: sum, websocket_round_trip_spread_seconds: spread } = await read(service);
    expect(sum).toBeGreaterThan(0);
    expect(spread).toBeGreaterThanOrEqual(0);
    const other = await service.connect({ perMessageDeflate: false });
    other.socket.pause();
    const queued = async (): Promise<number> => (await read(service))['websocket_send_queue_bytes'] ?? 0;
    for (let waiting = 0; waiting === 0; waiting = await queued())
      await service.notifications.broadcastMessage({ type: 'news', text: 'x'.repeat(500_000) });
    const { websocket_send_queue_bytes: all, websocket_send_queue_longest_bytes: longest } = await read(service);
    expect(longest).toBe(all);
    other.socket.terminate();
    await client.close();
    while ('websocket_round_trip_spread_seconds' in (await read(service))) await delay(20);
    await service.stop();
  });

  it('count a deadline that was applied late, and none that was applied in time', async () => {
    const world = new World(() => Test.createTestingModule({ imports: [NotificationModule.forRoot({})] }));
    const late = async (app: INestApplicationContext): Promise<Samples> =>
      samplesOf(await app.get(NotificationMetrics).registry.metrics());
    const ask = (app: INestApplicationContext): unknown =>
      app
        .get(NotificationService)
        .openConfirmation({ stepResult: { message: '?' }, userId: 'ann', taskId: 't', step: 1, timeoutMs: 60_000 });
    let app = await world.start();
    await ask(app);
    await world.clock.advance('1m');
    expect(await late(app)).toMatchObject({
      'confirmations_decided_total{outcome="timed_out"}': 1,
      confirmation_deadlines_late_total: 0,
    });
    await ask(app);
    await world.crash();
    await world.clock.advance('2m');
    app = await world.restart();
    expect(await late(app)).toMatchObject({ confirmation_deadlines_late_total: 1 });
    await world.close();
  });
});

describe('the metrics of what is lost', () => {
  it('count every message that a connection was cut with', async () => {
    const service = await startService({ environment: { WEBSOCKET_MAX_OUTBOX: '65536' } });
    const reader = await service.connect({ perMessageDeflate: false });
    await reader.request({ action: 'subscribe', channel: 'news' });
    reader.socket.pause();
    const failed = async (): Promise<number> => (await read(service))['websocket_messages_failed_total'] ?? 0;
    let sent = 0;
    const text = 'x'.repeat(10_000);
    for (let round = 0; (await failed()) === 0 && round < 200; round += 1) {
      const deliveries = Array.from({ length: 100 }, () => service.notifications.publish('news', { type: 'news', text }));
      sent += (await Promise.all(deliveries)).reduce((sum, { deliveredTo }) => sum + deliveredTo, 0);
    }
    reader.socket.resume();
    expect(await reader.closed()).toMatchObject({ code: 4408 });
    const received = reader.received.filter(({ type }) => type === 'news').length;
    expect(received + (await failed())).toBe(sent);
    expect(await read(service)).toMatchObject({
      'websocket_closes_total{code="4408"}': 1,
      websocket_slow_closes_total: 1,
      websocket_send_queue_bytes: 0,
    });
    await service.stop();
  });

  it('count every webhook that is given up', async () => {
    const receiver = await WebhookReceiver.start();
    receiver.answering = failing(503);
    const service = await startService({
      environment: { WEBSOCKET_RETENTION: '1', WEBSOCKET_WEBHOOK_URL: receiver.url, WEBSOCKET_WEBHOOK_SECRET: SECRET },
    });
    const before = await read(service);
    await service.rest('POST', '/ws/tasks/t/cancel', { user_id: 'ann' });
    const end = performance.now() + PATIENCE_MS;
    while ((await read(service))['webhook_dropped_total'] === 0 && performance.now() < end) await delay(50);
    const { webhook_dropped_total, webhook_pending, webhook_sent_total } = changesOf(before, await read(service));
    expect({ webhook_dropped_total, webhook_pending, webhook_sent_total }).toEqual({ webhook_dropped_total: 1 });
    await service.stop();
    await receiver.stop();
  });
});

describe('the health object of a secure service', () => {
  it('counts handshakes that are refused with 401, 429 and 503', async () => {
    const service = await startService({
      environment: {
        WEBSOCKET_AUTH: 'jwt',
        WEBSOCKET_JWT_SECRET: JWT_SECRET,
        WEBSOCKET_HANDSHAKE_RATE: '1',
        WEBSOCKET_AUTH_FAILURES: '3',
      },
    });
    const failedConnections = async (): Promise<unknown> => {
      const { metrics } = (await service.rest('GET', '/ws/health')).body as unknown as { metrics: Samples };
      return metrics['failed_connections'];
    };
    const statuses: (number | undefined)[] = [];
    // Three guesses fail, then guesses are not checked any more; after ten handshakes no more are taken.
    while (statuses.length < 12) statuses.push(await refusedHandshake(service, { authorization: `Bearer ${'x'.repeat(20)}` }));
    expect(statuses.slice(0, 3)).toEqual([401, 401, 401]);
    expect(statuses.slice(3)).toEqual(Array(9).fill(429));
    expect(await failedConnections()).toBe(12);
    await service.notifications.stopServer();
    expect(await refusedHandshake(service, { authorization: `Bearer ${await sign({ sub: 'ann' })}` })).toBe(503);
    expect(await failedConnections()).toBe(13);
    await service.stop();
  });
});
