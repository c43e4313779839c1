import fc from 'fast-check';
import { compileForm } from '../../src/notification/confirmation/form.js';
import type { InputField, InputSchema, JsonObject } from '../../src/protocol/confirmation.js';

const formOf = (properties: Record<string, unknown>, required?: string[]): ReturnType<typeof compileForm> =>
  compileForm({ type: 'object', properties: properties as Record<string, InputField>, required });
const faultyFields = (form: ReturnType<typeof compileForm>, values: unknown, complete = true): string[] =>
  Object.keys(form.check(values as JsonObject, complete));

describe('a form', () => {
  it.each<[string, object, unknown[], unknown[]]>([
    ['a string with bounds', { type: 'string', minLength: 2, maxLength: 3 }, ['ab', 'abc'], ['a', 'abcd', 5, null]],
    ['a pattern', { type: 'string', pattern: '^a+$' }, ['aa'], ['b']],
    ['a list of values', { type: 'string', enum: ['a', 'b'], enumNames: ['A', 'B'] }, ['a'], ['c']],
    ['a titled list of values', { type: 'string', oneOf: [{ const: 'a', title: 'A' }] }, ['a'], ['b']],
    ['an e-mail address', { type: 'string', format: 'email' }, ['a@b.example'], ['a']],
    ['a URI', { type: 'string', format: 'uri' }, ['https://a.example/x'], ['a']],
    ['a date', { type: 'string', format: 'date' }, ['2026-02-28'], ['2026-02-30']],
    ['a moment', { type: 'string', format: 'date-time' }, ['2026-02-28T10:00:00Z'], ['2026-02-28']],
    ['a number', { type: 'number', minimum: 0, maximum: 1 }, [0, 0.5, 1], [-1, 2, '1']],
    ['a whole number', { type: 'integer', minimum: 1 }, [1], [1.5, 0]],
    ['a yes or no', { type: 'boolean', default: true }, [true, false], ['true', 1]],
    [
      'several of a list',
      { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, minItems: 1, maxItems: 2, uniqueItems: true },
      [['a'], ['a', 'b']],
      [[], ['a', 'a'], ['c'], 'a'],
    ],
    ['several of a titled list', { type: 'array', items: { anyOf: [{ const: 'a', title: 'A' }] } }, [['a'], []], [['b']]],
  ])('checks %s', (_what, field, right, wrong) => {
    const form = formOf({ field: { title: 'T', description: 'D', ...field } });
    expect(form.problem).toBeUndefined();
    for (const value of right) expect([value, faultyFields(form, { field: value })]).toEqual([value, []]);
    for (const value of wrong)
      expect([value, faultyFields(form, { field: value })[0]]).toEqual([value, expect.stringMatching(/^values\.field/)]);
  });

  it('wants the required fields only of an answer that proceeds, and checks what is given in any case', () => {
    const form = formOf({ a: { type: 'string' }, b: { type: 'integer' } }, ['a']);
    expect(form.check({}, true)).toEqual({ 'values.a': 'is required' });
    expect(form.check({}, false)).toEqual({});
    expect(faultyFields(form, { b: 'x' }, false)).toEqual(['values.b']);
    expect(form.check({ a: 'x', c: 1 }, true)).toEqual({ 'values.c': 'is not part of the form' });
  });

  it.each<[string, object]>([
    ['a keyword of the form', { type: 'object', properties: {}, additionalProperties: true }],
    ['a reference', { type: 'object', properties: {}, $ref: '#' }],
    ['a nested object', { type: 'object', properties: { a: { type: 'array', items: { type: 'object' } } } }],
    ['a keyword of another type', { type: 'object', properties: { a: { type: 'number', minLength: 1 } } }],
    ['a list without values', { type: 'object', properties: { a: { type: 'array' } } }],
    ['a required field that is none', { type: 'object', properties: { a: { type: 'string' } }, required: ['b'] }],
    ['a required field inherited by every object', { type: 'object', properties: {}, required: ['constructor'] }],
    ['a pattern that is none', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }],
    ['an unknown format', { type: 'object', properties: { a: { type: 'string', format: 'nonsense' } } }],
    ['a bound that is no number', { type: 'object', properties: { a: { type: 'string', minLength: 'x' } } }],
  ])('with %s cannot be used, and says why', (_what, schema) => {
    expect(compileForm(schema as InputSchema).problem).toEqual(expect.any(String));
  });

  it('is compiled once for one schema, and the cache does not grow for ever', () => {
    const schema = (name: string): InputSchema => ({ type: 'object', properties: { [name]: { type: 'string' } } });
    const first = compileForm(schema('first'));
    expect(compileForm(schema('first'))).toBe(first);
    for (let count = 0; count < 200; count += 1) compileForm(schema(`field ${count}`));
    expect(compileForm(schema('first'))).not.toBe(first);
  });

  it('never throws, whatever the values', () => {
    const form = formOf({ a: { type: 'string' }, b: { type: 'array', items: { enum: ['x'] } } }, ['a']);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (values, complete) => {
        for (const problem of Object.values(form.check(values as JsonObject, complete)))
          expect(problem).toEqual(expect.any(String));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
