import fc from 'fast-check';
import { prepare, type AskRequest } from '../../src/notification/confirmation/prepare-request.js';
import { InvalidMessageError } from '../../src/notification/notification.errors.js';
import { findFault } from '../../src/protocol/json.js';
import type { OnTimeout } from '../../src/protocol/confirmation.js';

const QUESTION: AskRequest = { stepResult: { message: 'Deploy?' }, userId: 'ann', taskId: 'task', step: 1 };
const DEFAULTS = { callbackTimeoutMs: 300_000, timeoutDecision: 'proceed' as OnTimeout };

const prepared = (change: object = {}, defaults: object = {}): ReturnType<typeof prepare> =>
  prepare({ ...QUESTION, ...change }, { ...DEFAULTS, ...defaults });

/** The fields found fault with. */
function faults(change: object): Record<string, string> | undefined {
  try {
    prepared(change);
  } catch (error) {
    if (error instanceof InvalidMessageError) return error.fields;
    throw error;
  }
  return undefined;
}

describe('a question', () => {
  it('has a UUID that begins with the time as its name, so that later names sort behind earlier ones', () => {
    const before = Date.now();
    const [, first, second] = /^(.{8})-(.{4})-7.{3}-[89ab].{3}-.{12}$/.exec(prepared().callbackId) ?? [];
    const time = Number.parseInt(`${first}${second}`, 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
    expect(prepared().callbackId).not.toBe(prepared().callbackId);
  });

  it.each<[string, object, object]>([
    [
      'pydantic’s Optional[str]',
      { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, title: 'F' },
      { type: 'string', title: 'F' },
    ],
    ['zod’s nullable number', { oneOf: [{ type: 'null' }, { type: 'number', minimum: 1 }] }, { type: 'number', minimum: 1 }],
    ['a list of types', { type: ['string', 'null'], enum: ['a', null] }, { type: 'string', enum: ['a'] }],
  ])('takes %s in its form for an optional field', (_what, field, plain) => {
    const properties = (each: object) => ({ f: each, g: { type: 'boolean' } });
    const inputSchema = { type: 'object', properties: properties(field), required: ['f', 'g'] };
    expect(prepared({ inputSchema }).prompt.inputSchema).toEqual({
      type: 'object',
      properties: properties(plain),
      required: ['g'],
    });
  });

  it.each<[string, object, object]>([
    ['a literal text', { type: 'string', const: 'a', examples: ['a'] }, { type: 'string', enum: ['a'] }],
    ['a literal number', { type: 'integer', const: 3 }, { type: 'integer', minimum: 3, maximum: 3 }],
    ['a positive number', { type: 'number', exclusiveMinimum: 0 }, { type: 'number', exclusiveMinimum: 0 }],
    [
      'a list of one literal',
      { type: 'array', items: { type: 'string', const: 'a' } },
      { type: 'array', items: { type: 'string', enum: ['a'] } },
    ],
  ])('takes %s in its form', (_what, field, plain) => {
    const inputSchema = { type: 'object', properties: { f: field }, required: ['f'], examples: [{}] };
    expect(prepared({ inputSchema }).prompt.inputSchema).toEqual({ type: 'object', properties: { f: plain }, required: ['f'] });
  });

  it.each<[string, object, string]>([
    ['a union', { anyOf: [{ type: 'string' }, { type: 'number' }] }, 'inputSchema.properties.f.type'],
    ['a literal yes', { type: 'boolean', const: true }, 'inputSchema'],
    [
      'no number between its bounds',
      { type: 'number', exclusiveMinimum: 1, maximum: 1 },
      'inputSchema.properties.f.exclusiveMinimum',
    ],
  ])('refuses %s in its form', (_what, field, name) => {
    expect(Object.keys(faults({ inputSchema: { type: 'object', properties: { f: field } } }) ?? {})).toEqual([name]);
  });

  it('is made complete from the defaults', () => {
    expect(prepared()).toEqual({
      callbackId: expect.any(String),
      userId: 'ann',
      taskId: 'task',
      step: 1,
      prompt: { stepResult: { message: 'Deploy?' } },
      timeoutMs: 300_000,
      onTimeout: 'proceed',
      onTimeoutBy: 'setting',
      key: undefined,
      fingerprint: undefined,
    });
    expect(prepared({ timeoutMs: null }).timeoutMs).toBeNull();
    expect(prepared({ timeoutMs: 1.2 }).timeoutMs).toBe(2);
  });

  it('has an id of its own every time', () => {
    expect(prepared().callbackId).not.toBe(prepared().callbackId);
  });

  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  let deep: object = {};
  for (let level = 0; level < 10_000; level += 1) deep = { deep };

  it.each<[string, object, string | RegExp]>([
    ['an empty user', { userId: '' }, 'userId'],
    ['a user of 257 characters', { userId: 'x'.repeat(257) }, 'userId'],
    ['a user with NUL', { userId: 'a\0b' }, 'userId'],
    ['a user of another type', { userId: 5 }, 'userId'],
    ['no task', { taskId: undefined }, 'taskId'],
    ['half a step', { step: 1.5 }, 'step'],
    ['a step beyond what numbers tell apart', { step: 2 ** 53 }, 'step'],
    ['a step that is none', { step: Number.NaN }, 'step'],
    ['no step result', { stepResult: undefined }, 'stepResult'],
    ['a step result’s field of another type', { stepResult: { message: 5 } }, 'stepResult.message'],
    ['a cycle', { stepResult: { message: 'x', result: cyclic } }, /^stepResult\.result\.self\.self/],
    ['a big number of JavaScript’s own', { stepResult: { message: 'x', result: { row: 1n } } }, 'stepResult.result.row'],
    ['ten thousand levels', { stepResult: { message: 'x', result: deep } }, /^stepResult\.result\.deep\.deep/],
    ['half a character', { stepResult: { message: 'a\ud800' } }, 'stepResult.message'],
    ['more than a megabyte', { stepResult: { message: 'x', result: 'x'.repeat(1_100_000) } }, 'stepResult'],
    ['a result without a message', { stepResult: { step: 'deploy' } }, 'stepResult.message'],
    ['an empty message', { stepResult: { message: '' } }, 'stepResult.message'],
    ['a message of null', { stepResult: { message: null } }, 'stepResult.message'],
    ['a field of the step result that nobody knows', { stepResult: { message: 'x', extra: 1 } }, 'stepResult'],
    ['an integer that was rounded', { metadata: { rows: [Number('2512292042121000001')] } }, 'metadata.rows.0'],
    ['a number that is none', { stepResult: { message: 'x', result: { mean: Number.NaN } } }, 'stepResult.result.mean'],
    ['a hole in a list', { stepResult: { message: 'x', result: [1, undefined] } }, 'stepResult.result.1'],
    ['a Map', { stepResult: { message: 'x', result: new Map([[1, 2]]) } }, 'stepResult.result'],
    ['an Error', { metadata: { error: new Error('x') } }, 'metadata.error'],
    ['a function', { metadata: { callback: () => 1 } }, 'metadata.callback'],
    ['a symbol', { metadata: { kind: Symbol('x') } }, 'metadata.kind'],
    ['a date that is none', { metadata: { at: new Date(Number.NaN) } }, 'metadata.at'],
    ['a field named __proto__', { metadata: JSON.parse('{"a":{"__proto__":{"b":1}}}') as object }, 'metadata.a.__proto__'],
    ['a time-out of 0', { timeoutMs: 0 }, 'timeoutMs'],
    ['a time-out of NaN', { timeoutMs: Number.NaN }, 'timeoutMs'],
    ['an infinite time-out', { timeoutMs: Number.POSITIVE_INFINITY }, 'timeoutMs'],
    ['a time-out of more than 31 years', { timeoutMs: 1e12 + 1 }, 'timeoutMs'],
    ['an unknown default', { onTimeout: 'maybe' }, 'onTimeout'],
    ['an unknown risk', { risk: 'some' }, 'risk'],
    ['an irreversible yes by default', { risk: 'irreversible', onTimeout: 'proceed' }, 'onTimeout'],
    ['no choices', { choices: [] }, 'choices'],
    ['101 choices', { choices: Array.from({ length: 101 }, (_, n) => ({ id: String(n), label: '', proceed: true })) }, 'choices'],
    ['a choice without its meaning', { choices: [{ id: 'a', label: 'A' }] }, 'choices.0.proceed'],
    [
      'two choices of one id',
      {
        choices: [
          { id: 'a', label: 'A', proceed: true },
          { id: 'a', label: 'B', proceed: false },
        ],
      },
      'choices',
    ],
    ['a form that is none', { inputSchema: { type: 'array' } }, 'inputSchema.type'],
    ['a form with an unknown keyword', { inputSchema: { type: 'object', properties: {}, $ref: 'x' } }, 'inputSchema'],
    ['metadata that is no object', { metadata: [] }, 'metadata'],
    ['metadata of more than 8 KiB', { metadata: { x: 'ü'.repeat(4096) } }, 'metadata'],
    ['an empty key', { key: '' }, 'key'],
    ['a misspelt option', { timeoutMS: 5 }, '(root)'],
  ])('a question with %s is refused by the name of the field', (_what, change, field) => {
    const names = Object.keys(faults(change) ?? {});
    if (typeof field === 'string') expect(names).toContain(field);
    else expect(names).toEqual([expect.stringMatching(field)]);
  });

  it('an error says of each missing field that it is required', () => {
    expect(faults({ userId: undefined, taskId: undefined, step: undefined, stepResult: { step: 'x' } })).toEqual({
      userId: 'is required',
      taskId: 'is required',
      step: 'is required',
      'stepResult.message': 'is required',
    });
    expect(faults({ choices: [{ id: 'a', proceed: true }] })).toEqual({ 'choices.0.label': 'is required' });
  });

  it('shows what a `toJSON` method makes of a value, and leaves out what is undefined', () => {
    class Money {
      constructor(private readonly cents: number) {}
      toJSON(): string {
        return `${this.cents} ct`;
      }
    }
    const at = new Date(0);
    expect(prepared({ metadata: { price: new Money(5), at, none: undefined } }).prompt.metadata).toEqual({
      price: '5 ct',
      at: '1970-01-01T00:00:00.000Z',
    });
  });

  it('takes what is at the limits', () => {
    expect(faults({ userId: 'x'.repeat(256), step: -(2 ** 53) + 1, timeoutMs: 1e12, key: 'k'.repeat(256) })).toBeUndefined();
    expect(faults({ metadata: { x: 'x'.repeat(8192 - 8) } })).toBeUndefined();
    expect(faults({ metadata: { x: 'x'.repeat(8192 - 7) } })).toBeDefined();
  });
});

describe('what a deadline decides', () => {
  it.each<[OnTimeout | undefined, OnTimeout, 'irreversible' | undefined, OnTimeout, string]>([
    [undefined, 'proceed', undefined, 'proceed', 'setting'],
    ['proceed', 'abort', undefined, 'proceed', 'caller'],
    ['abort', 'proceed', undefined, 'abort', 'caller'],
    [undefined, 'proceed', 'irreversible', 'abort', 'setting'],
    [undefined, 'abort', 'irreversible', 'abort', 'setting'],
    [undefined, 'error', 'irreversible', 'error', 'setting'],
    ['error', 'proceed', 'irreversible', 'error', 'caller'],
  ])(
    'is, for the call’s %s, the setting’s %s and risk %s: %s, said by the %s',
    (onTimeout, timeoutDecision, risk, decided, by) => {
      expect(prepared({ onTimeout, risk }, { timeoutDecision })).toMatchObject({ onTimeout: decided, onTimeoutBy: by });
    },
  );

  it('is never proceed for something irreversible', () => {
    fc.assert(
      fc.property(
        fc.option(fc.constantFrom<OnTimeout>('abort', 'error'), { nil: undefined }),
        fc.constantFrom<OnTimeout>('proceed', 'abort', 'error'),
        (onTimeout, timeoutDecision) => {
          expect(prepared({ risk: 'irreversible', onTimeout }, { timeoutDecision }).onTimeout).not.toBe('proceed');
        },
      ),
      { seed: 1 },
    );
  });
});

describe('the fingerprint of a key', () => {
  const fingerprint = (change: object = {}, defaults: object = {}): string | undefined =>
    prepared({ key: 'k', ...change }, defaults).fingerprint;
  const form = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } } };

  it('is the same for the same contents, in whatever order they are written', () => {
    const one = fingerprint({ metadata: { a: 1, b: { c: 2, d: 3 } }, inputSchema: form });
    const reordered = {
      inputSchema: { properties: { b: { type: 'number' }, a: { type: 'string' } }, type: 'object' },
      metadata: { b: { d: 3, c: 2 }, a: 1 },
    };
    expect(fingerprint(reordered)).toBe(one);
    expect(prepare(JSON.parse(JSON.stringify({ ...reordered, ...QUESTION, key: 'k' })) as AskRequest, DEFAULTS).fingerprint).toBe(
      one,
    );
  });

  it('does not depend on the time-out, the signal, the key or the settings', () => {
    const one = fingerprint();
    expect(fingerprint({ timeoutMs: 5, signal: new AbortController().signal })).toBe(one);
    expect(fingerprint({ key: 'other' })).toBe(one);
    expect(fingerprint({}, { timeoutDecision: 'abort', callbackTimeoutMs: 1 })).toBe(one);
  });

  it.each<[string, object]>([
    ['user', { userId: 'bob' }],
    ['task', { taskId: 'other' }],
    ['step', { step: 2 }],
    ['step result', { stepResult: { message: 'Deploy!' } }],
    ['default', { onTimeout: 'abort' }],
    ['risk', { risk: 'irreversible' }],
    ['title', { title: 'T' }],
    ['metadata', { metadata: {} }],
    ['choices', { choices: [{ id: 'a', label: 'A', proceed: true }] }],
    ['form', { inputSchema: form }],
  ])('depends on the %s', (_what, change) => {
    expect(fingerprint(change)).not.toBe(fingerprint());
  });

  it('is the same however often it is made, of anything that can be asked', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (result) => {
        fc.pre(findFault(result) === undefined);
        const request = { ...QUESTION, key: 'k', stepResult: { message: 'Deploy?', result } };
        const copy = JSON.parse(JSON.stringify(request)) as AskRequest;
        expect(prepare(request, DEFAULTS).fingerprint).toBe(prepare(copy, DEFAULTS).fingerprint);
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});

describe('the digest', () => {
  it('is there for what is irreversible, and says what is shown and to whom', () => {
    expect(prepared().prompt.digest).toBeUndefined();
    const digest = prepared({ risk: 'irreversible' }).prompt.digest;
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(prepared({ risk: 'irreversible', timeoutMs: 5 }).prompt.digest).toBe(digest);
    for (const change of [{ userId: 'bob' }, { step: 2 }, { title: 'T' }, { stepResult: { message: 'Go on?' } }])
      expect(prepared({ risk: 'irreversible', ...change }).prompt.digest).not.toBe(digest);
  });
});
