/** Prompts, answers, and the fields that are wrong with them. Both the server's check and the client's run these. */
import type { Choice, InputSchema, JsonObject } from '../../src/protocol/confirmation.js';

export interface AnswerCase {
  what: string;
  prompt: { choices?: Choice[]; input_schema?: InputSchema };
  answer: { proceed?: boolean; choice?: string; values?: JsonObject };
  /** Field -> problem; empty: the answer is right. */
  faults: Record<string, string>;
}

const CHOICES: Choice[] = [
  { id: 'go', label: 'Go', proceed: true },
  { id: 'stop', label: 'Stop', proceed: false },
];
const FORM: InputSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2, maxLength: 3 },
    mail: { type: 'string', format: 'email' },
    link: { type: 'string', format: 'uri' },
    day: { type: 'string', format: 'date' },
    moment: { type: 'string', format: 'date-time' },
    size: { type: 'string', enum: ['s', 'm'] },
    colour: { type: 'string', oneOf: [{ const: 'red', title: 'Red' }] },
    code: { type: 'string', pattern: '^\\p{Lu}{2}-\\d+$' },
    part: { type: 'string', pattern: 'b.d' },
    count: { type: 'integer', minimum: 1, maximum: 9 },
    share: { type: 'number', minimum: 0, maximum: 1 },
    price: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 10 },
    agreed: { type: 'boolean' },
    tags: { type: 'array', items: { enum: ['a', 'b'] }, minItems: 1, maxItems: 2, uniqueItems: true },
  },
  required: ['name'],
};

const form = (what: string, values: JsonObject | undefined, faults: Record<string, string> = {}, proceed = true): AnswerCase => ({
  what,
  prompt: { input_schema: FORM },
  answer: { proceed, ...(values && { values }) },
  faults: Object.fromEntries(Object.entries(faults).map(([name, problem]) => [`values.${name}`, problem])),
});
const field = (name: string, value: unknown, problem?: string): AnswerCase =>
  form(
    `${name}: ${JSON.stringify(value)}`,
    { name: 'Ann', [name]: value } as JsonObject,
    problem === undefined ? {} : { [name]: problem },
  );

const choice = (what: string, answer: AnswerCase['answer'], faults: Record<string, string> = {}): AnswerCase => ({
  what,
  prompt: { choices: CHOICES },
  answer,
  faults,
});

export const ANSWER_CASES: readonly AnswerCase[] = [
  choice('a yes without a choice', { proceed: true }),
  choice('nothing', {}),
  choice('a choice', { choice: 'go' }),
  choice('a choice that says the same', { choice: 'stop', proceed: false }),
  choice('an unknown choice', { choice: 'perhaps' }, { choice: 'is none of the choices' }),
  choice(
    'a choice that says otherwise',
    { choice: 'go', proceed: false },
    { proceed: 'contradicts the choice, which means true' },
  ),
  choice('values where there is no form', { proceed: true, values: {} }, { values: 'this prompt has no form' }),
  {
    what: 'a choice where there is none',
    prompt: {},
    answer: { choice: 'go', proceed: true },
    faults: { choice: 'is none of the choices' },
  },
  form('a filled form', { name: 'Ann' }),
  form('a yes without the form', undefined, { name: 'is required' }),
  form('a no without the form', undefined, {}, false),
  form('a no with a wrong field', { count: 0 }, { count: 'must be at least 1' }, false),
  form('an unknown field', { name: 'Ann', other: 1 }, { other: 'is not part of the form' }),
  form('a field of every object', { name: 'Ann', constructor: 1 }, { constructor: 'is not part of the form' }),
  form(
    'several faults',
    { count: 'x', agreed: 'yes' },
    { name: 'is required', count: 'must be a number', agreed: 'must be true or false' },
  ),
  field('name', 'A', 'must have at least 2 characters'),
  field('name', 'Anna', 'must have at most 3 characters'),
  field('name', '😀😀😀'),
  field('name', '😀', 'must have at least 2 characters'),
  field('name', 5, 'must be a string'),
  field('name', null, 'must be a string'),
  field('mail', 'a@b.example'),
  field('mail', "o'h+x@b-c.de"),
  ...['a', 'a@b', '@b.c', 'a@-b.c', 'a@b@c.d', 'a..b@c.de'].map((text) => field('mail', text, 'must be a valid email')),
  ...['https://a.example/x?y#z', 'mailto:a@b.c', 'urn:a:b', 'http://[2001:db8::7]:80/'].map((text) => field('link', text)),
  ...['a', '/a', 'http://a b', 'http://a/%2', 'http://[::1'].map((text) => field('link', text, 'must be a valid uri')),
  ...['2024-02-29', '2000-02-29', '2026-12-31'].map((text) => field('day', text)),
  ...['2026-02-29', '1900-02-29', '2026-13-01', '2026-00-10', '26-1-1'].map((text) => field('day', text, 'must be a valid date')),
  ...['2026-02-28T10:00:00Z', '2026-02-28t10:00:00.5+01:30', '1998-12-31T23:59:60Z'].map((text) => field('moment', text)),
  ...['2026-02-28', '2026-02-28T24:00:00Z', '2026-02-28T10:00:00', '1998-12-31T22:59:60Z'].map((text) =>
    field('moment', text, 'must be a valid date-time'),
  ),
  field('size', 's'),
  field('size', 'l', 'is none of the options'),
  field('colour', 'red'),
  field('colour', 'Red', 'is none of the options'),
  field('code', 'ÄB-12'),
  field('code', 'ab-12', 'must match ^\\p{Lu}{2}-\\d+$'),
  field('code', 'AB-12\n', 'must match ^\\p{Lu}{2}-\\d+$'),
  field('part', 'a bad one'),
  field('part', 'b\nd', 'must match b.d'),
  field('part', 'b😀d'),
  field('count', 9),
  field('count', 1.5, 'must be a whole number'),
  field('count', 10, 'must be at most 9'),
  field('count', '1', 'must be a number'),
  field('share', 0.5),
  field('share', -0.1, 'must be at least 0'),
  field('price', 0.1),
  field('price', 0, 'must be more than 0'),
  field('price', 10, 'must be less than 10'),
  field('agreed', false),
  field('agreed', 'true', 'must be true or false'),
  field('tags', ['a', 'b']),
  field('tags', [], 'must have at least 1 of the options'),
  field('tags', ['a', 'b', 'a'], 'must have at most 2 of the options'),
  field('tags', ['a', 'a'], 'must not have an option twice'),
  field('tags', ['c'], 'must have nothing but the options'),
  field('tags', 'a', 'must be a list'),
];
