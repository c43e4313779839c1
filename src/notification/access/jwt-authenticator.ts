/**
 * The authenticator of secure mode: JWTs by a shared secret, a public key, or a JWKS URL with rotation, through jose.
 *
 * The algorithms follow from the kind of key and are pinned, so that neither `none` nor a public key used as a secret
 * gets through. `sub` is the user; a `scope` that contains `notification:service` makes a service's token.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type * as Jose from 'jose';
import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { ConfigurationError } from '../notification.errors.js';
import type { AuthenticatedUser, Authenticator } from './authenticator.js';
import { verifyByKeyedHash } from './keyed-hash.js';
import { RememberedTokens, type VerifiedUser } from './remembered-tokens.js';

export interface JwtSettings {
  /** HS256, HS384, HS512; at least 32 bytes. */
  secret?: string;
  /** PEM, SPKI: RSA, EC or Ed25519. */
  publicKey?: string;
  /** Keys by `kid`, fetched when an unknown one comes, at most every 30 s. */
  jwksUrl?: string;
  audience?: string;
  issuer?: string;
}

/** A service's token has this in its space-separated `scope`. */
const SERVICE_SCOPE = 'notification:service';
const MIN_SECRET_BYTES = 32;
/** Clocks of two machines differ. */
const CLOCK_TOLERANCE_S = 5;

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const KEY_ALGORITHMS: Record<string, string[]> = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ec: ['ES256', 'ES384', 'ES512'],
  ed25519: ['EdDSA', 'Ed25519'],
};

/** @returns the payload of a valid token. @throws when the check itself failed */
type Check = (token: string) => Promise<JWTPayload | undefined>;

export class JwtAuthenticator implements Authenticator {
  readonly readsRequest = false;
  private readonly key: KeyObject | URL;
  private readonly options: JWTVerifyOptions;
  private readonly remembered = new RememberedTokens();
  private checking: Promise<Check> | undefined;

  /** @throws ConfigurationError unless exactly one kind of key is given, and is usable */
  constructor(settings: JwtSettings) {
    const { key, algorithms } = keyOf(settings);
    this.key = key;
    this.options = {
      algorithms,
      audience: settings.audience,
      issuer: settings.issuer,
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['sub', 'exp'],
    };
  }

  authenticate(token: string): Promise<AuthenticatedUser | undefined> {
    return this.remembered.userOf(token, () => this.verify(token));
  }

  private async verify(token: string): Promise<VerifiedUser | undefined> {
    const payload = await (await this.check())(token);
    const { sub, exp, iat, scope } = payload ?? {};
    // jose checks that `exp` and `iat` are numbers, not that `sub` is text.
    if (typeof sub !== 'string' || exp === undefined) return undefined;
    const isService = typeof scope === 'string' && scope.split(' ').includes(SERVICE_SCOPE);
    return { userId: sub, expiresAt: exp * 1000, issuedAt: iat === undefined ? undefined : iat * 1000, isService };
  }

  /** Loads jose at the first token: an application with its own authenticator never does. */
  private check(): Promise<Check> {
    this.checking ??= import('jose').then(
      (jose) => newCheck(jose, this.key, this.options, this.remembered),
      (error: unknown) => {
        this.checking = undefined;
        throw error;
      },
    );
    return this.checking;
  }
}

function newCheck(jose: typeof Jose, key: KeyObject | URL, options: JWTVerifyOptions, remembered: RememberedTokens): Check {
  const { createRemoteJWKSet, errors, jwtVerify } = jose;
  /** Codes of jose that mean the keys could not be fetched, and say nothing about the token. */
  const checkFailed = new Set([errors.JWKSTimeout.code, errors.JOSEError.code, errors.JWKSInvalid.code]);
  const verify = verifier();
  return async (token) => {
    try {
      return await verify(token);
    } catch (error) {
      if (!(error instanceof errors.JOSEError) || checkFailed.has(error.code)) throw error;
      return undefined;
    }
  };

  function verifier(): (token: string) => JWTPayload | Promise<JWTPayload> {
    if (key instanceof URL) {
      // What was verified with keys that are fetched again is forgotten: one of them may be gone.
      const keys = createRemoteJWKSet(key, {
        [jose.customFetch]: (url, request) => {
          remembered.clear();
          return fetch(url, request);
        },
      });
      remembered.countsWhile(() => keys.fresh);
      return async (token) => (await jwtVerify(token, keys, options)).payload;
    }
    if (key.type === 'secret') return (token) => verifyByKeyedHash(jose, token, key, options);
    return async (token) => (await jwtVerify(token, key, options)).payload;
  }
}

function keyOf({ secret, publicKey, jwksUrl }: JwtSettings): { key: KeyObject | URL; algorithms: string[] } {
  const given = [secret, publicKey, jwksUrl].filter((source) => source !== undefined);
  if (given.length !== 1) throw new ConfigurationError('JWT authentication needs exactly one of secret, public key and JWKS URL');
  if (secret !== undefined) {
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES)
      throw new ConfigurationError(`the JWT secret must have at least ${MIN_SECRET_BYTES} bytes`);
    return { key: createSecretKey(Buffer.from(secret)), algorithms: SECRET_ALGORITHMS };
  }
  if (publicKey !== undefined) {
    const key = readPublicKey(publicKey);
    const algorithms = KEY_ALGORITHMS[key.asymmetricKeyType ?? ''];
    if (!algorithms) throw new ConfigurationError('the JWT public key must be RSA, EC or Ed25519');
    return { key, algorithms };
  }
  return { key: readUrl(jwksUrl ?? ''), algorithms: Object.values(KEY_ALGORITHMS).flat() };
}

function readPublicKey(pem: string): KeyObject {
  try {
    // An environment variable often carries its line ends as \n.
    return createPublicKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw new ConfigurationError('the JWT public key is no PEM');
  }
}

function readUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ConfigurationError('the JWKS URL is no URL');
  }
}
