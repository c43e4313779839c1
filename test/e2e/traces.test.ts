/** Traces: one trace from the worker that asks to the answer, over its death, and `traceparent` at every door. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trace } from '@opentelemetry/api';
import { Program } from '../support/child-program.js';
import { TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';
import type { SpanLine, WorkerLine } from '../support/traced-worker-lines.js';
import { SECRET, WebhookReceiver } from '../support/webhook-receiver.js';

const WORKER = fileURLToPath(new URL('../support/traced-worker.js', import.meta.url));
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
/** Of Prometheus 2. */
const PROMETHEUS_ACCEPT =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

describeEngines('with an OpenTelemetry SDK', (engine) => {
  let folder: string;
  let receiver: WebhookReceiver;
  const workers: Program[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'traces-'));
    [receiver] = await Promise.all([WebhookReceiver.start(), engine.start()]);
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop('SIGKILL')));
    await Promise.all([receiver.stop(), engine.stop()]);
    await rm(folder, { recursive: true });
  });

  /** Starts a worker, and a device of the user it asks. */
  async function startWorker(): Promise<{ worker: Program; device: TestClient; prompt: Record<string, unknown> }> {
    const worker = Program.start(process.execPath, [WORKER], {
      PATH: process.env['PATH'] ?? '',
      WEBSOCKET_HOST: '127.0.0.1',
      WEBSOCKET_PORT: '0',
      WEBSOCKET_DATA_DIR: folder,
      WEBSOCKET_DRAIN_TIMEOUT: '0',
      WEBSOCKET_WEBHOOK_URL: receiver.url,
      WEBSOCKET_WEBHOOK_SECRET: SECRET,
      ...engine.environment(),
    });
    workers.push(worker);
    await worker.says('"port":');
    const port = linesOf(worker).flatMap((line) => ('port' in line ? [line.port] : []))[0];
    const device = await TestClient.connect(`ws://127.0.0.1:${port}/ws`);
    device.send({ action: 'subscribe', user_id: 'ann' });
    const prompt = await device.next((message) => message['type'] === 'task_step_result');
    return { worker, device, prompt };
  }

  it('makes one trace from a worker that was killed to the one that resumed, to the answer and the webhook', async () => {
    const first = await startWorker();
    await first.worker.stop('SIGKILL');
    const second = await startWorker();
    expect(second.prompt).toMatchObject({ redelivered: true, traceparent: first.prompt['traceparent'] });
    second.device.send({ action: 'confirm', callback_id: second.prompt['callback_id'], proceed: true });
    await second.worker.says('"result":"answered"');
    const delivery = await receiver.of('confirmation.answered');
    await second.worker.says('"websocket_manager.event":"confirmation.answered"');

    const [died, resumed] = [spansOf(first.worker), spansOf(second.worker)];
    const [creation] = named(died, 'create confirmations');
    const { traceId, spanId } = creation ?? missing('the span of the creation');
    expect(first.prompt['traceparent']).toBe(`00-${traceId}-${spanId}-01`);
    expect(first.worker.output).toContain(`"trace_id":"${traceId}"`);
    const [attached] = named(resumed, 'attach confirmations');
    const [job] = named(resumed, 'job');
    expect(attached).toMatchObject({ traceId: job?.traceId, parentSpanId: job?.spanId, links: [{ traceId, spanId }] });
    expect(job?.traceId).not.toBe(traceId);

    const inTrace = { traceId, parentSpanId: spanId, failed: false };
    const attributes = {
      'messaging.message.id': second.prompt['callback_id'],
      'messaging.message.conversation_id': 'deploy',
      'websocket_manager.outcome': 'answered',
      'websocket_manager.via': 'websocket',
    };
    expect(named(resumed, 'settle confirmations')).toEqual([
      expect.objectContaining({ ...inTrace, attributes: expect.objectContaining(attributes) }),
    ]);
    const link = { traceId: job?.traceId, spanId: job?.spanId };
    expect(named(resumed, 'receive confirmations')).toEqual([
      expect.objectContaining({ ...inTrace, links: [link], attributes: expect.objectContaining(attributes) }),
    ]);
    expect(named(resumed, 'send confirmations')).toContainEqual(expect.objectContaining(inTrace));
    const sent = named(resumed, 'send webhook').at(-1);
    expect(sent).toMatchObject(inTrace);
    expect(delivery.headers['traceparent']).toBe(`00-${traceId}-${sent?.spanId}-01`);
    await Promise.all([first, second].map(({ device }) => device.close()));
  }, 60_000);
});

describe('without an OpenTelemetry SDK', () => {
  let service: TestService;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    receiver = await WebhookReceiver.start();
    service = await startService({
      environment: { WEBSOCKET_WEBHOOK_URL: receiver.url, WEBSOCKET_WEBHOOK_SECRET: SECRET },
    });
  });
  afterAll(async () => {
    await service.stop();
    await receiver.stop();
  });
  const open = (userId: string, headers: Record<string, string>) =>
    service.rest(
      'POST',
      '/ws/confirmations',
      { user_id: userId, task_id: `of-${userId}`, step: 1, step_result: { message: '?' } },
      headers,
    );

  it('a traceparent by REST reaches the client, the list and the webhook as it was given', async () => {
    const device = await service.connectAs('ann');
    const { status } = await open('ann', { traceparent: TRACEPARENT, tracestate: 'vendor=1' });
    expect(status).toBe(201);
    expect(await device.next((message) => message['type'] === 'task_step_result')).toMatchObject({ traceparent: TRACEPARENT });
    const { body } = await service.rest('GET', '/ws/users/ann/confirmations');
    expect(body).toMatchObject({ confirmations: [{ traceparent: TRACEPARENT }] });
    const { headers } = await receiver.of('confirmation.opened');
    expect(headers).toMatchObject({ traceparent: TRACEPARENT, tracestate: 'vendor=1' });
  });

  it('metrics carry the trace as an exemplar for a reader that prefers OpenMetrics, and are plain text for all others', async () => {
    const { body } = await open('cem', { traceparent: TRACEPARENT });
    await service.rest('POST', `/ws/confirmations/${String(body['callback_id'])}/answer`, { proceed: true });
    const read = async (accept: string): Promise<{ type: string | null; text: string }> => {
      const response = await fetch(`${service.url}/metrics`, { headers: { accept } });
      return { type: response.headers.get('content-type'), text: await response.text() };
    };
    const openMetrics = await read(PROMETHEUS_ACCEPT);
    expect(openMetrics.type).toMatch(/^application\/openmetrics-text/);
    for (const family of ['confirmation_response_seconds', 'websocket_delivery_seconds'])
      expect(openMetrics.text).toMatch(
        new RegExp(`^${family}_bucket\\{.*\\} \\d+ # \\{trace_id="${TRACE}",span_id="00f067aa0ba902b7"\\}`, 'm'),
      );
    expect(openMetrics.text).toMatch(/\n# EOF\n$/);
    const names = [...openMetrics.text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names).toEqual([...new Set(names)]);
    for (const accept of [
      '*/*',
      'text/plain',
      'text/plain, application/openmetrics-text;q=0.5',
      'application/openmetrics-text;q=0',
    ]) {
      const plain = await read(accept);
      expect([accept, plain.type]).toEqual([accept, expect.stringMatching(/^text\/plain.*0\.0\.4/)]);
      expect(plain.text).not.toContain(TRACE);
      expect(plain.text).toMatch(/^websocket_connections_total \d+$/m);
    }
  });

  it('a key leads to the same confirmation, and to its first trace, whatever trace the second call names', async () => {
    const key = { 'idempotency-key': 'one' };
    const first = await open('ben', { ...key, traceparent: TRACEPARENT });
    const second = await open('ben', { ...key, traceparent: TRACEPARENT.replace('4bf9', '5bf9') });
    expect([first.status, second.status]).toEqual([201, 200]);
    const { body } = await service.rest('GET', '/ws/users/ben/confirmations');
    expect(body).toMatchObject({ confirmations: [{ traceparent: TRACEPARENT }] });
  });

  it.each([
    ['is cut short', TRACEPARENT.slice(0, -1)],
    ['has the trace id 0', TRACEPARENT.replace(TRACE, '0'.repeat(32))],
    ['is in capitals', TRACEPARENT.toUpperCase()],
    ['is longer than its version allows', `${TRACEPARENT}-more`],
    ['is of a later version and too long', `01${TRACEPARENT.slice(2)}-${'a'.repeat(300)}`],
  ])('a header that %s is dropped, and a call that names it is refused', async (_title, traceparent) => {
    const userId = `bad-${traceparent.length}-${traceparent.slice(0, 9)}`;
    expect((await open(userId, { traceparent, tracestate: 'vendor=1' })).status).toBe(201);
    const { body } = await service.rest('GET', `/ws/users/${userId}/confirmations`);
    expect(body).toMatchObject({ confirmations: [expect.not.objectContaining({ traceparent: expect.anything() })] });
    const asking = service.notifications.openConfirmation({
      stepResult: { message: '?' },
      userId,
      taskId: 'of-code',
      step: 1,
      traceparent,
    });
    await expect(asking).rejects.toMatchObject({ code: 'INVALID_MESSAGE', fields: { traceparent: expect.any(String) } });
  });
});

describe('with an OpenTelemetry SDK that throws', () => {
  const fails = (): never => {
    throw new Error('a faulty part of the SDK');
  };
  const span = trace.wrapSpanContext({ traceId: TRACE, spanId: '00f067aa0ba902b7', traceFlags: 1 });
  const faultySpan = Object.assign(span, { isRecording: () => true, end: fails, setAttributes: fails, setStatus: fails });
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => {
    trace.disable();
    await service.stop();
  });

  it.each([
    ['beginning', fails],
    ['ending', () => faultySpan],
  ])('a question is asked and answered, and the caller gets the answer, though %s a span fails', async (when, startSpan) => {
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: fails }) });
    const client = await service.connectAs(when);
    const asked = service.notifications.notifyUser({ message: 'Go on?' }, when, 'task', 1);
    const { callback_id } = await client.next('task_step_result');
    const reply = await client.request({ action: 'confirm', callback_id, proceed: true });
    expect([reply.type, await asked]).toMatchObject(['confirmation_accepted', { proceed: true }]);
    trace.disable();
  });
});

const linesOf = ({ output }: Program): WorkerLine[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as WorkerLine);
const spansOf = (worker: Program): SpanLine[] => linesOf(worker).filter((line) => 'span' in line);
const named = (spans: SpanLine[], name: string): SpanLine[] => spans.filter(({ span }) => span === name);
function missing(what: string): never {
  throw new Error(`${what} is missing`);
}
