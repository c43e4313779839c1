/** Free JSON comes out as it went in, by frames, REST and calls, on either engine; or it is refused with the field's name. */
import fc from 'fast-check';
import { InvalidMessageError } from '../../src/notification/notification.errors.js';
import type { ApplicationMessage } from '../../src/protocol/messages.js';
import type { InputSchema, JsonObject } from '../../src/protocol/confirmation.js';
import { findFault } from '../../src/protocol/json.js';
import type { TestClient } from '../support/client.js';
import { describeEngines } from '../support/engines.js';
import { startService, type TestService } from '../support/service.js';

/** Names that objects inherit, and that libraries trip over. */
const NAMES = [
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  '__defineGetter__',
  'toJSON',
  'length',
  'then',
  '',
  '0',
  'a.b',
  '$ref',
  'é',
  '\0',
];
const VALUES = [
  1e21,
  6.02214076e23,
  1e-7,
  5e-324,
  2 ** 53 - 1,
  0.1,
  123456789012345,
  3.14159265358979,
  '2512292042121000001',
  '',
  '\0',
  '\u2028',
  '\u007f',
  '😀',
  '/',
  '\\',
  [],
  {},
  [[]],
  [{}],
  null,
  false,
];

const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...VALUES),
    fc.jsonValue(),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), tie('json'), { maxKeys: 4 }),
  ),
}));
/** What can be carried. A double has one zero on the wire. */
const carried = json
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => findFault(value) === undefined);
const sameText = (value: unknown): string => JSON.stringify(value);

/** Of `values`: a string, a number, a flag and a selection for names that are hard to carry. */
const FORM: InputSchema = {
  type: 'object',
  properties: {
    constructor: { type: 'string' },
    toString: { type: 'number' },
    valueOf: { type: 'boolean' },
    hasOwnProperty: { type: 'array', items: { type: 'string', enum: ['', '\0', 'a'] } },
  } as unknown as InputSchema['properties'],
};
const values = fc.record(
  {
    constructor: fc.string({ unit: 'grapheme' }),
    toString: fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((value) => findFault(value) === undefined)
      .map((value) => value + 0),
    valueOf: fc.boolean(),
    hasOwnProperty: fc.array(fc.constantFrom('', '\0', 'a'), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const RESERVED = [
  'task_step_result',
  'confirmation_resolved',
  'confirmation_expiring',
  'confirmation_of_mine',
  'subscription_confirmed',
  'unsubscribed',
  'recovered',
  'pong',
  'error',
  'acknowledged',
  'authenticated',
  'pending',
];

describeEngines('free JSON', (engine) => {
  let service: TestService;
  let client: TestClient;
  beforeAll(async () => {
    await engine.start();
    service = await startService({ environment: engine.environment() });
    client = await service.connectAs('ann');
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  let serial = 0;

  it('is shown as it was given, in results, metadata and messages', async () => {
    await fc.assert(
      fc.asyncProperty(
        carried,
        fc.dictionary(fc.constantFrom(...NAMES), carried, { maxKeys: 2 }),
        fc.boolean(),
        async (result, metadata, byRest) => {
          const taskId = `task-${(serial += 1)}`;
          const stepResult = { message: 'Go on?', result };
          const fits = Buffer.byteLength(sameText(metadata)) <= 8192;
          fc.pre(fits);
          if (byRest) {
            const body = { user_id: 'ann', task_id: taskId, step: 1, step_result: stepResult, metadata };
            expect(await service.rest('POST', '/ws/confirmations', body)).toMatchObject({ status: 201 });
            expect(await service.rest('POST', '/ws/users/ann/messages', { type: 'news', serial, result })).toMatchObject({
              status: 202,
            });
          } else {
            await service.notifications.openConfirmation({
              userId: 'ann',
              taskId,
              step: 1,
              stepResult,
              metadata: metadata as JsonObject,
            });
            await service.notifications.sendToUser('ann', { type: 'news', serial, result });
          }
          const prompt = await client.next({ type: 'task_step_result', task_id: taskId });
          expect(sameText(prompt['result'])).toBe(sameText(result));
          expect(sameText(prompt['metadata'])).toBe(sameText(metadata));
          expect(sameText((await client.next({ type: 'news', serial }))['result'])).toBe(sameText(result));
          const { body } = await service.rest('GET', `/ws/users/ann/confirmations?task_id=${taskId}`);
          const [entry] = body['confirmations'] as Record<string, unknown>[];
          expect(sameText(entry?.['result'])).toBe(sameText(result));
          await service.notifications.withdraw(String(prompt['callback_id']));
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it('is returned as it was answered, in values and feedback', async () => {
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        fc.boolean(),
        async (given, feedback, byRest) => {
          const question = {
            userId: 'ann',
            taskId: `task-${(serial += 1)}`,
            step: 1,
            stepResult: { message: 'Go on?' },
            inputSchema: FORM,
          };
          const { confirmation } = await service.notifications.openConfirmation(question);
          const { callbackId: callback_id } = confirmation;
          const answer = { proceed: true, values: given, feedback };
          if (byRest)
            expect(await service.rest('POST', `/ws/confirmations/${callback_id}/answer`, answer)).toMatchObject({ status: 200 });
          else
            expect(await client.request({ action: 'confirm', callback_id, ...answer })).toMatchObject({
              type: 'confirmation_accepted',
            });
          const { decision } = await service.notifications.getConfirmation(callback_id);
          expect(decision?.feedback).toBe(feedback);
          expect(Object.entries(decision?.values ?? {}).toSorted()).toEqual(Object.entries(given).toSorted());
        },
      ),
      { seed: 2, numRuns: 60 },
    );
  });

  it('survives in the history and among unacknowledged messages', async () => {
    const odd = JSON.parse(
      '{"type":"news","constructor":{"toString":[],"valueOf":{}},"n":123456789012345678e10,"list":[],"text":"\\u0000\\u2028/"}',
    ) as ApplicationMessage;
    const { epoch, offset } = await client.request({ action: 'subscribe', channel: 'odd' });
    await client.request({ action: 'unsubscribe', channel: 'odd' });
    await service.notifications.publish('odd', odd);
    client.send({ action: 'subscribe', channel: 'odd', recover: { epoch, offset } });
    const recovered = await client.next({ type: 'news', channel: 'odd' });
    await service.notifications.sendToUser('bob', odd, { requiresAck: true });
    const bob = await service.connectAs('bob');
    const kept = await bob.next('news');
    for (const message of [recovered, kept]) expect(message).toMatchObject(odd);
    await bob.close();
  });

  it('is refused with the field’s name when it cannot be carried, by frames, REST and calls', async () => {
    const { confirmation } = await service.notifications.openConfirmation({
      userId: 'ann',
      taskId: 'odd',
      step: 1,
      stepResult: { message: 'x' },
      inputSchema: FORM,
    });
    for (const [text, path] of [
      ['2512292042121000001', 'toString'],
      ['1e400', 'toString'],
      ['3.14159265358979323846', 'toString'],
      ['{"__proto__":1}', 'toString.__proto__'],
      ['"\\udc00"', 'toString'],
      ['{"a":1,"a":2}', 'toString.a'],
    ] as const) {
      client.send(
        `{"action":"confirm","callback_id":"${confirmation.callbackId}","proceed":true,"request_id":"r","values":{"toString":${text}}}`,
      );
      expect(await client.next({ request_id: 'r' })).toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { [`values.${path}`]: expect.any(String) },
      });
      for (const [route, body, field] of [
        [`confirmations/${confirmation.callbackId}/answer`, `{"proceed":true,"values":{"toString":${text}}}`, 'values'],
        [
          'confirmations',
          `{"user_id":"ann","task_id":"t","step":1,"step_result":{"message":"x","result":{"toString":${text}}}}`,
          'step_result.result',
        ],
        [
          'confirmations',
          `{"user_id":"ann","task_id":"t","step":1,"step_result":{"message":"x"},"metadata":{"toString":${text}}}`,
          'metadata',
        ],
        ['broadcast', `{"type":"x","deep":[{"toString":${text}}]}`, 'deep.0'],
        ['users/ann/messages', `{"type":"x","deep":{"toString":${text}}}`, 'deep'],
        ['tasks/odd/messages', `{"type":"x","deep":{"toString":${text}}}`, 'deep'],
      ] as const)
        expect(await service.rest('POST', `/ws/${route}`, body)).toMatchObject({
          status: 400,
          body: { code: 'INVALID_MESSAGE', fields: { [`${field}.${path}`]: expect.any(String) } },
        });
    }
    for (const value of [10n, Number('2512292042121000001'), Number.NaN, [undefined], new Map(), () => 1, Symbol('x')]) {
      const fault = { fields: { [`deep.value${Array.isArray(value) ? '.0' : ''}`]: expect.any(String) } };
      const message = { type: 'x', deep: { value } };
      const { notifications } = service;
      const calls = [
        () => notifications.broadcastMessage(message),
        () => notifications.sendToUser('ann', message),
        () => notifications.sendToUser('ann', message, { requiresAck: true }),
        () => notifications.sendToTask('odd', message),
        () => notifications.publish('odd', message),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject(fault);
    }
    expect((await service.notifications.getConfirmation(confirmation.callbackId)).state).toBe('pending');
  });

  it('is refused with NUL in a text that is stored by itself, by frames, REST and calls', async () => {
    const { notifications } = service;
    const { confirmation } = await notifications.openConfirmation({
      userId: 'ann',
      taskId: 'nul',
      step: 1,
      stepResult: { message: 'x' },
    });
    const answer = { proceed: true, feedback: 'yes\0 but' };
    const path = `/ws/confirmations/${confirmation.callbackId}/answer`;
    expect(await client.request({ action: 'confirm', callback_id: confirmation.callbackId, ...answer })).toMatchObject({
      code: 'INVALID_MESSAGE',
      fields: { feedback: expect.any(String) },
    });
    expect(await service.rest('POST', path, answer)).toMatchObject({
      status: 400,
      body: { fields: { feedback: expect.any(String) } },
    });
    await expect(notifications.answer(confirmation.callbackId, { userId: 'ann' }, answer)).rejects.toMatchObject({
      fields: { feedback: expect.any(String) },
    });
    expect(await client.request({ action: 'cancel', user_id: 'ann', task_id: 'nul', reason: 'a\0b' })).toMatchObject({
      fields: { reason: expect.any(String) },
    });
    expect(await service.rest('POST', '/ws/tasks/nul/cancel', { reason: 'a\0b' })).toMatchObject({
      status: 400,
      body: { fields: { reason: expect.any(String) } },
    });
    await expect(notifications.cancelTask('nul', 'a\0b')).rejects.toThrow(InvalidMessageError);
    expect(await service.rest('GET', '/ws/users/ann/confirmations?task_id=nul%00x')).toMatchObject({ status: 400 });
    expect((await notifications.getConfirmation(confirmation.callbackId)).state).toBe('pending');
  });

  it.each(RESERVED)('is refused from every sender with the type %s', async (type) => {
    const { notifications } = service;
    const calls = [
      () => notifications.broadcastMessage({ type }),
      () => notifications.sendToUser('ann', { type }),
      () => notifications.sendToUser('ann', { type }, { requiresAck: true }),
      () => notifications.sendToTask('t', { type }),
      () => notifications.publish('news', { type }),
    ];
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
        fields: { type: expect.stringContaining('reserved') },
      });
    for (const route of ['broadcast', 'users/ann/messages', 'tasks/t/messages'])
      expect(await service.rest('POST', `/ws/${route}`, { type })).toMatchObject({
        status: 400,
        body: { fields: { type: expect.any(String) } },
      });
  });

  it('may have the types task_progress, heartbeat, seen and dismissed', async () => {
    for (const type of ['task_progress', 'heartbeat', 'seen', 'dismissed']) {
      expect(await service.rest('POST', '/ws/users/ann/messages', { type, task_id: 't' })).toMatchObject({ status: 202 });
      await client.next(type);
    }
  });
});

describe('the error of a faulty question', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it('names every missing field as it is written in REST, nested ones too', async () => {
    expect(await service.rest('POST', '/ws/confirmations', { step_result: {}, choices: [{ id: 'a' }] })).toMatchObject({
      status: 400,
      body: {
        fields: {
          user_id: 'is required',
          task_id: 'is required',
          step: 'is required',
          'step_result.message': 'is required',
          'choices.0.label': 'is required',
          'choices.0.proceed': 'is required',
        },
      },
    });
    expect(await service.rest('POST', '/ws/tasks/t/heartbeat', {})).toMatchObject({
      body: { fields: { user_id: 'is required' } },
    });
    expect(await service.rest('POST', '/ws/broadcast', {})).toMatchObject({ body: { fields: { type: 'is required' } } });
  });

  it.each([
    ['message', ''],
    ['message', null],
    ['message', 5],
    ['step', 5],
    ['status', {}],
    ['completed', 'yes'],
    ['error_code', []],
    ['error_message', 5],
    ['extra', 1],
  ])('names step_result.%s when it is %j', async (name, value) => {
    const step_result = { message: 'Go on?', [name]: value };
    expect(await service.rest('POST', '/ws/confirmations', { user_id: 'u', task_id: 't', step: 1, step_result })).toMatchObject({
      status: 400,
      body: { fields: { [`step_result.${name}`]: expect.any(String) } },
    });
  });

  it('names missing fields of frames', async () => {
    const client = await service.connect();
    expect(await client.requestUnchecked({ action: 'cancel' })).toMatchObject({
      fields: { user_id: 'is required', task_id: 'is required' },
    });
    expect(await client.requestUnchecked({ action: 'subscribe', channel: 'c', recover: {} })).toMatchObject({
      fields: { 'recover.epoch': 'is required', 'recover.offset': 'is required' },
    });
  });

  it('repeats a ping digit for digit', async () => {
    const client = await service.connect();
    const next = new Promise<string>((resolve) => client.socket.once('message', (data: Buffer) => resolve(data.toString())));
    client.send('{"action":"ping","at":1764202918123456789,"pi":3.14159265358979323846}');
    expect(await next).toContain('"original_data":{"action":"ping","at":1764202918123456789,"pi":3.14159265358979323846}');
  });

  it('says of a binary frame that is no UTF-8 which field is none', async () => {
    const client = await service.connect();
    client.socket.send(Buffer.from([...Buffer.from('{"action":"confirm","callback_id":"x","feedback":"'), 0xff, 0x22, 0x7d]));
    expect(await client.next('error')).toMatchObject({ code: 'INVALID_MESSAGE', fields: { feedback: expect.any(String) } });
  });
});
