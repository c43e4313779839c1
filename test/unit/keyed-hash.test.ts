/** The check of tokens with a shared secret, beside jose's own. */
import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import * as jose from 'jose';
import { verifyByKeyedHash } from '../../src/notification/access/keyed-hash.js';
import { SECRET } from '../support/jwt.js';

const KEY = createSecretKey(Buffer.from(SECRET));
const OPTIONS = { algorithms: ['HS256', 'HS384', 'HS512'], audience: 'us', clockTolerance: 5, requiredClaims: ['sub', 'exp'] };
const NOW = Math.floor(Date.now() / 1000);

/** A token with any header and claims, whose signature holds for `hash` and `secret`. */
function makeToken(header: unknown, claims: unknown, hash = 'sha256', secret = SECRET): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

const ours = (token: string): object | undefined => {
  try {
    return verifyByKeyedHash(jose, token, KEY, OPTIONS);
  } catch (error) {
    if (!(error instanceof jose.errors.JOSEError)) throw error;
    return undefined;
  }
};
const theirs = (token: string): Promise<object | undefined> =>
  jose.jwtVerify(token, KEY, OPTIONS).then(
    ({ payload }) => payload,
    () => undefined,
  );

const VALID = makeToken({ alg: 'HS256' }, { sub: 'ann', aud: 'us', exp: NOW + 60 });

describe('a check by a keyed hash', () => {
  it('accepts and refuses what jose accepts and refuses, whatever header, claims and key a token has', async () => {
    const headers = fc.oneof(
      fc.record({ alg: fc.constantFrom('HS256', 'HS384', 'HS512', 'none', 'RS256', 'toString', 7), typ: fc.constant('JWT') }),
      fc.constantFrom({ alg: 'HS256', crit: ['b64'], b64: false }, { alg: 'HS256', crit: ['x'], x: 1 }, {}, [], null, 'HS256'),
    );
    const times = fc.constantFrom(NOW + 60, NOW - 3, NOW - 60, 'soon', null, 1e300);
    const claims = fc.oneof(
      fc.record(
        {
          sub: fc.constantFrom('ann', 7, null),
          aud: fc.constantFrom('us', ['us', 'them'], 'them', 7),
          exp: times,
          nbf: times,
          iat: times,
        },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    );
    const tokens = fc
      .record({
        header: headers,
        claims,
        hash: fc.constantFrom('sha256', 'sha384', 'sha512'),
        secret: fc.constantFrom(SECRET, `${SECRET}x`),
      })
      .map((parts) => makeToken(parts.header, parts.claims, parts.hash, parts.secret));
    await fc.assert(
      fc.asyncProperty(tokens, async (token) => expect(ours(token)).toEqual(await theirs(token))),
      { numRuns: 1000, examples: [[VALID]] },
    );
  });

  it('refuses a valid token in which one character is replaced, left out or added', () => {
    expect(ours(VALID)).toMatchObject({ sub: 'ann' });
    fc.assert(
      fc.property(fc.nat(VALID.length - 1), fc.constantFrom('', 'A', 'z', '.', '=', '-', 'AA', '\u00e9'), (at, text) => {
        const token = VALID.slice(0, at) + text + VALID.slice(at + 1);
        if (token !== VALID) expect(ours(token)).toBeUndefined();
      }),
    );
  });
});
