/**
 * Schemas, patterns and answers that are made to cost much: nobody else waits for them. The bound is far above what they
 * take, and far below the seconds that a backtracking pattern or a general schema validator takes.
 */
import { TestClient } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';

type Body = Record<string, unknown>;

const LONGEST_MS = 1000;
const items = (depth: number): Body => (depth === 0 ? { type: 'string' } : { type: 'array', items: items(depth - 1) });
const field = (schema: Body): Body => ({ type: 'object', properties: { field: schema } });
const options = Array.from({ length: 50 }, (_, index) => ({ const: `option-${index}`, title: `Option ${index}` }));

describe('the round trip of another user stays short', () => {
  let service: ServiceProcess;
  let bob: TestClient;
  beforeAll(async () => {
    service = await startProcess({ WEBSOCKET_RATE_LIMIT: '100000', WEBSOCKET_RATE_BURST: '1000000' });
    bob = await TestClient.connect(`${service.wsUrl}/ws`);
    await bob.request({ action: 'subscribe', user_id: 'bob' });
  });
  afterAll(async () => {
    bob.socket.terminate();
    await service.stop('SIGKILL');
  });

  const post = async (path: string, body: string): Promise<{ status: number; body: Body }> => {
    const response = await fetch(service.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return { status: response.status, body: (await response.json()) as Body };
  };
  const questionOf = (input_schema: Body): string =>
    JSON.stringify({ user_id: 'mallory', task_id: 't', step: 1, step_result: { message: '?' }, input_schema });
  const ask = async (schema: Body): Promise<string> => {
    const { status, body } = await post('/ws/confirmations', questionOf(schema));
    expect(status).toBe(201);
    return String(body['callback_id']);
  };
  /** The longest round trip of bob's pings until the call has its response, and for some pings after it. */
  const longestDuring = async <Result>(call: () => Promise<Result>): Promise<{ result: Result; longestMs: number }> => {
    let [longestMs, left] = [0, Infinity];
    const calling = call().finally(() => (left = 20));
    for (; left > 0; left -= 1) {
      const sentAt = performance.now();
      await bob.request({ action: 'ping' });
      longestMs = Math.max(longestMs, performance.now() - sentAt);
    }
    return { result: await calling, longestMs };
  };

  it.each([
    ['^(a+)+$', `${'a'.repeat(36)}!`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(40)],
    ['(x+x+)+y', 'x'.repeat(4000)],
    ['^(a|a|aa)+$', `${'a'.repeat(60_000)}!`],
    ['(.*){1,12}[bc]', 'a'.repeat(2000)],
  ])('while an answer meets the pattern %s', async (pattern, text) => {
    const id = await ask(field({ type: 'string', pattern }));
    const answer = JSON.stringify({ proceed: true, values: { field: text } });
    const { result, longestMs } = await longestDuring(() => post(`/ws/confirmations/${id}/answer`, answer));
    expect(result).toMatchObject({ status: 400, body: { code: 'INVALID_ANSWER' } });
    expect(longestMs).toBeLessThan(LONGEST_MS);
  });

  it.each([
    ['140 000 different items', Array.from({ length: 140_000 }, (_, index) => `${index}`)],
    ['140 000 equal items', Array<string>(140_000).fill('a')],
    [
      '4 500 options twice and more, nearly as large as a frame',
      Array.from({ length: 4500 }, (_, index) => `option-${index % 50}`),
    ],
  ])('while an answer to a list of 50 options has %s', async (_, values) => {
    const id = await ask(field({ type: 'array', items: { anyOf: options }, uniqueItems: true }));
    const answer = JSON.stringify({ proceed: true, values: { field: values } });
    const { result, longestMs } = await longestDuring(() => post(`/ws/confirmations/${id}/answer`, answer));
    expect(result.status).toBe(400);
    expect(longestMs).toBeLessThan(LONGEST_MS);
  });

  it.each<[string, Body]>([
    ['an enum of 60 000', field({ type: 'string', enum: Array.from({ length: 60_000 }, (_, index) => `${index}`) })],
    ['items nested 13 deep', field(items(13))],
    [
      '3 000 patterns',
      {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 3000 }, (_, index) => [`f${index}`, { type: 'string', pattern: `^(a${index}+)+$` }]),
        ),
      },
    ],
    ['a pattern that is repeated a thousand times a thousand times', field({ type: 'string', pattern: '((a{1000}){1000})' })],
    ['allOf', field({ type: 'array', items: { allOf: Array<Body>(1000).fill({ type: 'string' }) } })],
    ['a schema that refers to itself', field({ type: 'array', items: { $ref: '#' } })],
    ['a pattern as a format', field({ type: 'string', format: 'regex' })],
  ])('while a question is refused for %s', async (_, schema) => {
    const question = questionOf(schema);
    const { result, longestMs } = await longestDuring(() => post('/ws/confirmations', question));
    expect(result.status).toBe(400);
    expect(longestMs).toBeLessThan(LONGEST_MS);
  });
});
