import fc from 'fast-check';
import { DecodeError, decodeFrame, findStructuralProblem, MAX_DEPTH } from '../../src/protocol/decode.js';
import { isIdentifier } from '../../src/protocol/identifier.js';

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
    ['{"request_id":7}', 'INVALID_MESSAGE', 7],
    ['{"request_id":"a","action":5}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","x":{"__proto__":1}}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","x":"\\ud800"}', 'INVALID_MESSAGE', 'a'],
    ['{"request_id":"a","action":"ping","\\udfff":1}', 'INVALID_MESSAGE', 'a'],
  ])('refuses %s with %s, and tells to which request that belongs', (text, code, requestId) => {
    expect(refusal(text)).toMatchObject({ code, requestId });
  });

  it('takes a whole character of two halves', () => {
    expect(decodeFrame('{"action":"ping","x":"\\ud83d\\ude00"}')).toEqual({ action: 'ping', x: '😀' });
  });

  it('takes so many levels and no more', () => {
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
        if (findStructuralProblem(value) !== undefined) return;
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
