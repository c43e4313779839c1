/**
 * Checks a token that is signed with a shared secret. WebCrypto, which jose uses, takes about ten times as long.
 *
 * Node's own HMAC checks the signature (RFC 7515, section 5.2; RFC 7518, section 3.2), and jose checks the claims.
 */
import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import type * as Jose from 'jose';
import type { JWTPayload, JWTVerifyOptions } from 'jose';

const HASHES: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
const UNSIGNED_HEADER = Buffer.from('{"alg":"none"}').toString('base64url');

/**
 * @returns the claims
 * @throws JOSEError for a token that is not valid
 */
export function verifyByKeyedHash(jose: typeof Jose, token: string, key: KeyObject, options: JWTVerifyOptions): JWTPayload {
  const { errors, UnsecuredJWT } = jose;
  const parts = token.split('.');
  const [header, claims, signature] = parts;
  if (parts.length !== 3 || !header || claims === undefined || signature === undefined)
    throw new errors.JWSInvalid('a token has three parts');
  const hash = hashOf(jose, token);
  const expected = Buffer.from(createHmac(hash, key).update(`${header}.${claims}`).digest('base64url'));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new errors.JWSSignatureVerificationFailed();
  return UnsecuredJWT.decode(`${UNSIGNED_HEADER}.${claims}.`, options).payload;
}

function hashOf({ decodeProtectedHeader, errors }: typeof Jose, token: string): string {
  let header: Jose.ProtectedHeaderParameters;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw new errors.JWSInvalid('the header is no JSON object');
  }
  // An extension changes how a token is read (RFC 7515, section 4.1.11). None is supported.
  if (header.crit !== undefined || header['b64'] !== undefined) throw new errors.JWSInvalid('the token uses an extension');
  const hash = typeof header.alg === 'string' && Object.hasOwn(HASHES, header.alg) ? HASHES[header.alg] : undefined;
  if (hash === undefined) throw new errors.JOSEAlgNotAllowed('the algorithm is not allowed');
  return hash;
}
