import fc from 'fast-check';
import { findFormFault } from '../../src/notification/confirmation/form.js';
import { checkValues } from '../../src/notification/confirmation/form-values.js';
import type { InputField, InputSchema, JsonObject } from '../../src/protocol/confirmation.js';

const formOf = (properties: Record<string, unknown>, required?: string[]): InputSchema => ({
  type: 'object',
  properties: properties as Record<string, InputField>,
  ...(required && { required }),
});
const faultyFields = (form: InputSchema, values: unknown, complete = true): string[] =>
  Object.keys(checkValues(form, values as JsonObject, complete));
/** Of one field's value. */
const problem = (field: object, value: unknown): string | undefined =>
  checkValues(formOf({ field }), { field: value } as JsonObject, true)['values.field'];

describe('a form', () => {
  it.each<[string, object, unknown[], unknown[]]>([
    [
      'a string with bounds',
      { type: 'string', minLength: 2, maxLength: 3 },
      ['ab', 'abc', '😀😀😀'],
      ['a', '😀', 'abcd', 5, null],
    ],
    ['a pattern', { type: 'string', pattern: '^a+$' }, ['aa'], ['b', 'aa\n']],
    ['a pattern that is not anchored', { type: 'string', pattern: 'b' }, ['abc'], ['ac']],
    ['a list of values', { type: 'string', enum: ['a', 'b'], enumNames: ['A', 'B'] }, ['a'], ['c', 'A']],
    ['a titled list of values', { type: 'string', oneOf: [{ const: 'a', title: 'A' }] }, ['a'], ['b', 'A']],
    [
      'an e-mail address',
      { type: 'string', format: 'email' },
      ['a@b.example', "o'h+x@b-c.de"],
      ['a', 'a@b', '@b.c', 'a@-b.c', 'a@b@c.d'],
    ],
    [
      'a URI',
      { type: 'string', format: 'uri' },
      ['https://a.example/x', 'mailto:a@b.c', 'ldap://[2001:db8::7]/c=GB?x?y', 'urn:a:b', 'tel:+1-816', 'http://a:80?b=%20#c'],
      ['a', '/a', '//a.b/', 'http://a b', 'http://a/<x>', 'http://a/%2', 'http://[::1', ':x', 'a,b:c'],
    ],
    [
      'a date',
      { type: 'string', format: 'date' },
      ['2026-02-28', '2024-02-29'],
      ['2026-02-30', '2026-02-29', '2026-13-01', '26-1-1'],
    ],
    [
      'a moment',
      { type: 'string', format: 'date-time' },
      ['2026-02-28T10:00:00Z', '2026-02-28t10:00:00.123+01:30', '1998-12-31T23:59:60Z', '1998-12-31T15:59:60-08:00'],
      ['2026-02-28', '2026-02-28T10:00:00', '2026-02-28T24:00:00Z', '1998-12-31T22:59:60Z'],
    ],
    ['a number', { type: 'number', minimum: 0, maximum: 1 }, [0, 0.5, 1], [-1, 2, '1', null]],
    ['a whole number', { type: 'integer', minimum: 1 }, [1, 1e2], [1.5, 0, '1']],
    ['a yes or no', { type: 'boolean', default: true }, [true, false], ['true', 1]],
    [
      'several of a list',
      { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, minItems: 1, maxItems: 2, uniqueItems: true },
      [['a'], ['a', 'b']],
      [[], ['a', 'a'], ['c'], 'a', [['a']], { 0: 'a', length: 1 }],
    ],
    [
      'several of a titled list',
      { type: 'array', items: { anyOf: [{ const: 'a', title: 'A' }] } },
      [['a'], [], ['a', 'a']],
      [['b']],
    ],
  ])('checks %s', (_what, field, right, wrong) => {
    const form = formOf({ field: { title: 'T', description: 'D', ...field } });
    expect(findFormFault(form)).toBeUndefined();
    for (const value of right) expect([value, faultyFields(form, { field: value })]).toEqual([value, []]);
    for (const value of wrong) expect([value, faultyFields(form, { field: value })]).toEqual([value, ['values.field']]);
  });

  it('wants the required fields only of an answer that proceeds, and checks what is given in any case', () => {
    const form = formOf({ a: { type: 'string' }, b: { type: 'integer' } }, ['a']);
    expect(checkValues(form, {}, true)).toEqual({ 'values.a': 'is required' });
    expect(checkValues(form, {}, false)).toEqual({});
    expect(faultyFields(form, { b: 'x' }, false)).toEqual(['values.b']);
    expect(checkValues(form, { a: 'x', c: 1 }, true)).toEqual({ 'values.c': 'is not part of the form' });
  });

  it('has fields of any name, also of those that every object inherits', () => {
    const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
    const form = formOf(Object.fromEntries(names.map((name) => [name, { type: 'integer' }])), names);
    expect(findFormFault(form)).toBeUndefined();
    expect(faultyFields(form, {})).toEqual(names.map((name) => `values.${name}`));
    expect(faultyFields(form, Object.fromEntries(names.map((name) => [name, 1])))).toEqual([]);
    expect(faultyFields(formOf({}), { constructor: 1, toString: 2 })).toEqual(['values.constructor', 'values.toString']);
  });

  it('may have what the tools of MCP write around it', () => {
    const written = {
      ...formOf({ a: { type: 'string' } }),
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      additionalProperties: false,
    };
    expect(findFormFault(written)).toBeUndefined();
    expect(faultyFields(written as InputSchema, { b: 1 })).toEqual(['values.b']);
  });

  it.each<[string, object, string]>([
    ['further fields', { additionalProperties: true }, 'additionalProperties'],
    ['a schema for further fields', { additionalProperties: { type: 'string' } }, 'additionalProperties'],
    ['a reference', { $ref: '#' }, '$ref'],
    ['definitions', { $defs: {} }, '$defs'],
    ['alternatives', { allOf: [] }, 'allOf'],
    ['a condition', { if: {}, then: {} }, 'if'],
    ['a pattern for names', { patternProperties: {} }, 'patternProperties'],
    ['another type', { type: 'array' }, 'type'],
    ['a required field that is none', { required: ['b'] }, 'required'],
    ['a required field inherited by every object', { required: ['constructor'] }, 'required'],
    ['a required field twice', { properties: { b: { type: 'string' } }, required: ['b', 'b'] }, 'required'],
    ['a list for its fields', { properties: [] }, 'properties'],
    ['a title of another type', { title: 5 }, 'title'],
    [
      '201 fields',
      { properties: Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`f${n}`, { type: 'string' }])) },
      'properties',
    ],
    ['more than 64 KiB', { description: 'x'.repeat(65_536) }, '64'],
  ])('is refused with the place of its fault: %s', (_what, change, place) => {
    const fault = findFormFault({ type: 'object', properties: {}, ...change });
    expect(`${fault?.path} ${fault?.problem}`).toContain(place === '64' ? '65536 bytes' : place);
  });

  const options = (count: number): string[] => Array.from({ length: count }, (_, n) => `option ${n}`);
  it.each<[string, object, string]>([
    ['no type', {}, 'type'],
    ['several types', { type: ['string', 'null'] }, 'type'],
    ['a nested object', { type: 'object' }, 'type'],
    ['nested items', { type: 'array', items: { type: 'array', items: {} } }, 'items.type'],
    ['an object for items', { type: 'array', items: { enum: ['a'], properties: {} } }, 'items.properties'],
    ['a list for items', { type: 'array', items: [{ enum: ['a'] }] }, 'items'],
    ['a reference in items', { type: 'array', items: { $ref: '#' } }, 'items.$ref'],
    ['both kinds of options in items', { type: 'array', items: { enum: ['a'], anyOf: [{ const: 'a', title: 'A' }] } }, 'items'],
    ['no options in items', { type: 'array', items: { type: 'string' } }, 'items'],
    ['no items', { type: 'array' }, 'items'],
    ['a keyword of another type', { type: 'number', minLength: 1 }, 'minLength'],
    ['a keyword outside the subset', { type: 'string', not: {} }, 'not'],
    ['a constant', { type: 'string', const: 'a' }, 'const'],
    ['a keyword that every object inherits', { type: 'string', constructor: 1 }, 'constructor'],
    ['a bound that is no number', { type: 'string', minLength: 'x' }, 'minLength'],
    ['a negative bound', { type: 'string', maxLength: -1 }, 'maxLength'],
    ['bounds that nothing meets', { type: 'integer', minimum: 2, maximum: 1 }, 'minimum'],
    ['an unknown format', { type: 'string', format: 'regex' }, 'format'],
    ['a format that every object inherits', { type: 'string', format: 'constructor' }, 'format'],
    ['an empty list of options', { type: 'string', enum: [] }, 'enum'],
    ['options that are no text', { type: 'string', enum: [1] }, 'enum'],
    ['an option twice', { type: 'string', enum: ['a', 'a'] }, 'enum'],
    [
      'a titled option twice',
      {
        type: 'string',
        oneOf: [
          { const: 'a', title: 'A' },
          { const: 'a', title: 'B' },
        ],
      },
      'oneOf',
    ],
    ['an option without a title', { type: 'string', oneOf: [{ const: 'a' }] }, 'oneOf'],
    ['an option with more than a title', { type: 'string', oneOf: [{ const: 'a', title: 'A', pattern: 'x' }] }, 'oneOf'],
    ['names for other options', { type: 'string', enum: ['a'], enumNames: ['A', 'B'] }, 'enumNames'],
    ['names for no options', { type: 'string', enumNames: [] }, 'enumNames'],
    ['1 001 options', { type: 'string', enum: options(1001) }, 'enum'],
    ['1 001 options in items', { type: 'array', items: { enum: options(1001) } }, 'items.enum'],
    ['a default of another type', { type: 'integer', default: '1' }, 'default'],
    ['a pattern that is none', { type: 'string', pattern: '(' }, 'pattern'],
    ['a pattern of RE2 alone', { type: 'string', pattern: '\\Aa\\z' }, 'pattern'],
    ['a pattern that looks ahead', { type: 'string', pattern: '^(?=a)a' }, 'pattern'],
    ['a pattern that looks behind', { type: 'string', pattern: '(?<!a)b' }, 'pattern'],
    ['a pattern that refers back', { type: 'string', pattern: '(a)\\1' }, 'pattern'],
    ['a pattern that is long', { type: 'string', pattern: 'a'.repeat(513) }, 'pattern'],
    ['a pattern that unfolds', { type: 'string', pattern: '((a{20}){20}){20}' }, 'pattern'],
    ['a pattern that unfolds in many places', { type: 'string', pattern: '(a{30}){30}'.repeat(40) }, 'pattern'],
    ['a pattern of many large classes', { type: 'string', pattern: '\\p{L}'.repeat(102) }, 'pattern'],
  ])('is refused with the place of a field’s fault: %s', (_what, field, place) => {
    const fault = findFormFault({ type: 'object', properties: { a: field } });
    expect(`${fault?.path} ${fault?.problem}`).toContain(`properties.a.${place}`);
  });

  it('may have 200 fields, 1 000 options and 64 patterns', () => {
    const fields = (count: number, field: object): InputSchema =>
      formOf(Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, field])));
    expect(findFormFault(fields(200, { type: 'string' }))).toBeUndefined();
    expect(findFormFault(formOf({ a: { type: 'string', enum: options(1000) } }))).toBeUndefined();
    expect(findFormFault(fields(64, { type: 'string', pattern: '^a$' }))).toBeUndefined();
    expect(findFormFault(fields(65, { type: 'string', pattern: '^a$' }))).toBeDefined();
    expect(findFormFault(fields(64, { type: 'string', pattern: '^[a-z]{1,40}$' }))).toMatchObject({
      path: expect.stringContaining('.pattern'),
    });
  });

  it('names one fault of a field, and at most twenty', () => {
    const field = { type: 'array', items: { enum: ['a'] }, uniqueItems: true, maxItems: 1 };
    expect(faultyFields(formOf({ field }), { field: ['b', 'b', 'b'] })).toEqual(['values.field']);
    expect(faultyFields(formOf({}), Object.fromEntries(options(1000).map((name) => [name, 1])))).toHaveLength(20);
    expect(
      faultyFields(formOf(Object.fromEntries(options(30).map((name) => [name, { type: 'string' }])), options(30)), {}),
    ).toHaveLength(20);
  });

  it('never throws, whatever the values', () => {
    const form = formOf({ a: { type: 'string', pattern: '^a' }, b: { type: 'array', items: { enum: ['x'] } } }, ['a']);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (values, complete) => {
        for (const fault of Object.values(checkValues(form, values as JsonObject, complete)))
          expect(fault).toEqual(expect.any(String));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('never throws, whatever the schema', () => {
    const word = fc.constantFrom(
      'type',
      'string',
      'array',
      'object',
      'items',
      'enum',
      'anyOf',
      'oneOf',
      'const',
      'title',
      'pattern',
      'required',
    );
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof(
        { depthSize: 'small' },
        word,
        fc.constantFrom(null, 1, true, [], {}),
        fc.array(tie('schema'), { maxLength: 3 }),
        fc.dictionary(word, tie('schema'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(schema, fc.dictionary(word, fc.jsonValue()), (field, values) => {
        const form = { type: 'object', properties: { type: field } };
        const fault = findFormFault(form);
        if (fault) expect(fault.problem).not.toBe('');
        else checkValues(form as unknown as InputSchema, values as JsonObject, true);
      }),
      { seed: 2, numRuns: 1000 },
    );
  });
});

describe('a pattern', () => {
  it.each([
    ['^(x+x+)+y$', 'x'.repeat(40)],
    ['^(a|a)*$', `${'a'.repeat(40)}b`],
    ['^([a-z]+)*@', 'a'.repeat(10_000)],
  ])('%s that would backtrack for ever says no at once', (pattern, text) => {
    expect(problem({ type: 'string', pattern }, text)).toBe(`must match ${pattern}`);
  });

  it('is not run on a text that is too long for it', () => {
    const field = { type: 'string', pattern: '^(?:a?){500}a{500}$' };
    expect(problem(field, 'a'.repeat(60_000))).toBe('is too long to be checked against its pattern');
    expect(problem({ ...field, maxLength: 100 }, 'a'.repeat(60_000))).toBe('must have at most 100 characters');
    expect(problem({ type: 'string', pattern: '^a*$' }, 'a'.repeat(60_000))).toBeUndefined();
  });

  it('shares a bound with the others of an answer', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`f${n}`, { type: 'string', pattern: '^(?:a?){10}b?$' }]),
    );
    const values = Object.fromEntries(Object.keys(properties).map((name) => [name, 'a'.repeat(1000)]));
    const faults = Object.values(checkValues(formOf(properties), values, true));
    expect(faults).toContain('is too long to be checked against its pattern');
  });

  it('means what it means in ECMAScript', () => {
    const patterns = [
      '^\\s+$',
      '^\\S+$',
      '^[\\s-]+$',
      '^[\\S]$',
      '^.$',
      '^[^a]$',
      '\\bfoo\\b',
      '^\\w\\W\\d\\D$',
      '^\\u0041$',
      '^\\u{1F600}$',
      '^\\ud83d\\ude00$',
      '^\\x41\\cA?$',
      '^[\\b]$',
      '^\\0$',
      '^(?<year>\\d{4})-(?:\\d\\d)$',
      '^\\p{Lu}+$',
      '^\\P{L}$',
      '^[&&a]$',
      '^[~~a]$',
      '^[[]$',
      '^a{2,}b{1}c{0,2}?$',
      '^\\/\\.\\-?$'.replace('\\-', '-'),
      '^[a\\-z]$',
      '^[\\]]$',
      'a|b|^$',
      '^\\$\\^\\*$',
    ];
    const texts = fc.oneof(
      fc.string({
        unit: fc.constantFrom(
          'a',
          'A',
          'b',
          'c',
          ' ',
          '\u00a0',
          '\ufeff',
          '\u2028',
          '\n',
          '\v',
          '-',
          '&',
          '~',
          '[',
          ']',
          '😀',
          'é',
          '1',
          '/',
          '.',
          '\0',
          '\b',
          '\u0001',
          '^',
          '$',
          '*',
        ),
        maxLength: 4,
      }),
      fc.constantFrom('foo', 'a foo b', '2026-01', 'aab1cc'.replace('1', ''), '$^*', '/.', 'a1'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...patterns), texts, (pattern, text) => {
        expect([pattern, text, problem({ type: 'string', pattern }, text) === undefined]).toEqual([
          pattern,
          text,
          new RegExp(pattern, 'u').test(text),
        ]);
      }),
      { seed: 3, numRuns: 5000 },
    );
  });
});
