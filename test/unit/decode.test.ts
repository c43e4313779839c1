import fc from 'fast-check';
import { DecodeError, decodeFrame } from '../../src/protocol/decode.js';
import { findLoss } from '../../src/protocol/exact.js';
import { isIdentifier } from '../../src/protocol/identifier.js';
import { copyJson, findFault, MAX_DEPTH } from '../../src/protocol/json.js';

/** What is thrown for a text. */
function refusal(text: string): unknown {
  try {
    decodeFrame(text);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the decoder', () => {
  it('gives an object with an action as it is', () => {
    expect(decodeFrame('{"action":"ping","request_id":1.5,"x":[{"y":null}]}')).toEqual({
      action: 'ping',
      request_id: 1.5,
      x: [{ y: null }],
    });
  });

  it.each([
    ['', 'INVALID_JSON', undefined],
    ['nonsense', 'INVALID_JSON', undefined],
    ['null', 'INVALID_MESSAGE', undefined],
    ['[]', 'INVALID_MESSAGE', undefined],
    ['{"request_id":null,"action":"ping"}', 'INVALID_MESSAGE', undefined],
    ['{"request_id":1e999,"action":"ping"}', 'INVALID_MESSAGE', undefined],
    ['{"request_id":true,"action":"ping"}', 'INVALID_MESSAGE', undefined],
    ['{"request_id":12345678901234567890,"action":"ping"}', 'INVALID_MESSAGE', undefined],
    ['{"request_id":7}', 'INVALID_MESSAGE', 7],
    ['{"request_id":"a","action":5}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","x":{"__proto__":1}}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","x":"\\ud800"}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","\\udfff":1}', 'INVALID_MESSAGE', 'a'],
  ])('refuses %s with %s, and names the request', (text, code, requestId) => {
    expect(refusal(text)).toMatchObject({ code, requestId });
  });

  it.each([
    ['a large integer', '{"values":{"row":2512292042121000001}}', 'values.row'],
    ['an integer that only happens to survive', '{"values":{"row":9007199254740992}}', 'values.row'],
    ['a negative one', '{"values":[0,{"row":-9007199254740993}]}', 'values.1.row'],
    ['more than a double reaches', '{"values":1e400}', 'values'],
    ['less than a double reaches', '{"a":{"b":1e-400}}', 'a.b'],
    ['a zero with a sign', '{"values":{"n":-0.0}}', 'values.n'],
    ['more digits than a double has', '{"pi":3.14159265358979323846}', 'pi'],
    ['a field that is given twice', '{"proceed":false,"proceed":true}', 'proceed'],
    ['the same field, written otherwise', '{"proceed":false,"pr\\u006fceed":true}', 'proceed'],
    ['a nested field that is given twice', '{"values":{"a":[{"b":1,"c":2,"b":1}]}}', 'values.a.0.b'],
    ['an empty name given twice', '{"":1,"":2}', ''],
    ['half a character in a name', '{"values":{"\\ud800":1}}', 'values.\ud800'],
    ['a nested __proto__', '{"values":{"__proto__":1}}', 'values.__proto__'],
  ])('refuses an answer with %s, and names the field', (_what, fields, name) => {
    const error = refusal(`{"action":"confirm","callback_id":"8c1e-51e5",${fields.slice(1)}`) as DecodeError;
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(Object.keys(error.fields ?? {})).toEqual([name || '(frame)']);
  });

  it.each([
    '{"n":0.1}',
    '{"n":1.0}',
    '{"n":0e99}',
    '{"n":1E2}',
    '{"n":100e-2}',
    '{"n":6.02214076e23}',
    '{"n":1.7976931348623157e308}',
    '{"n":5e-324}',
    '{"n":0.30000000000000004}',
    '{"n":9007199254740991}',
    '{"n":"2512292042121000001"}',
    '{"n":"1e400","quote\\"d":"a\\\\"}',
    '{"a":{"x":1},"b":{"x":1}}',
    '{ "a" : [ 1 , true , null ] , "b" : { } , "c" : [ ] }',
  ])('takes %s', (fields) => {
    expect(refusal(`{"action":"confirm",${fields.slice(1)}`)).toBeUndefined();
  });

  it('takes any number in a ping, whose text is echoed', () => {
    expect(refusal('{"action":"ping","at":1764202918123456789}')).toBeUndefined();
  });

  it('finds no loss in what JSON.stringify writes, and any in what it does not', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.integer({ min: 0, max: 3 }), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(findLoss(text, JSON.parse(text))).toBeUndefined();
        const twice = `{"x":${text},"y":[${text}],"x":1}`;
        expect(findLoss(twice, JSON.parse(twice))).toEqual({ path: 'x', problem: 'is given twice' });
        const large = `{"x":${text},"y":[${text},20000000000000001]}`;
        expect(findLoss(large, JSON.parse(large))).toMatchObject({ path: 'y.1' });
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  it('copies what it accepts without a change', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (given) => {
        // Without -0, which a copy writes as 0.
        const value = JSON.parse(JSON.stringify(given)) as unknown;
        const copied = copyJson(value);
        if (findFault(value)) expect(copied).toHaveProperty('fault');
        else expect(copied).toEqual({ json: JSON.parse(JSON.stringify(value)) as unknown });
      }),
      { seed: 5, numRuns: 1000 },
    );
  });

  it('takes a whole character of two halves', () => {
    expect(decodeFrame('{"action":"ping","x":"\\ud83d\\ude00"}')).toEqual({ action: 'ping', x: '😀' });
  });

  it('takes MAX_DEPTH levels and no more', () => {
    const nested = (levels: number): string => `{"action":"ping","x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect(refusal(nested(MAX_DEPTH))).toBeUndefined();
    expect(refusal(nested(MAX_DEPTH + 1))).toMatchObject({ code: 'INVALID_MESSAGE' });
  });

  it('says nothing of what it was given but the names of fields', () => {
    for (const text of [
      'secret',
      '{"action":{"secret":1}}',
      '{"action":"ping","__proto__":"secret"}',
      '{"request_id":["secret"]}',
    ])
      expect(JSON.stringify(refusal(text))).not.toContain('secret');
  });

  it('throws nothing but DecodeError, whatever the text', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify({ action: 'ping', value })),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const error = refusal(text);
        if (error !== undefined) expect(error).toBeInstanceOf(DecodeError);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('lets nothing through that cannot be written again', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), (value) => {
        if (findFault(value) !== undefined) return;
        const text = JSON.stringify(value);
        expect(Buffer.from(text).toString()).toBe(text);
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});

describe('an identifier', () => {
  it.each(['a', 'user@example.com', '用户', '😀', 'a/b', ' ', 'x'.repeat(256)])('may be %p', (name) => {
    expect(isIdentifier(name)).toBe(true);
  });

  it.each(['', 'x'.repeat(257), 'a\0b', '\ud800', 5, null, undefined, ['a']])('may not be %p', (name) => {
    expect(isIdentifier(name)).toBe(false);
  });
});
