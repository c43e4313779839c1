/** Real tokens for tests: made and signed by jose, each as wrong as asked for. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';

export const SECRET = 'a-shared-secret-of-more-than-32-bytes';
export const AUDIENCE = 'notifications';

/** The settings of a service in secure mode that accepts these tokens. */
export const JWT_SETTINGS = {
  WEBSOCKET_AUTH: 'jwt',
  WEBSOCKET_JWT_SECRET: SECRET,
  WEBSOCKET_JWT_AUDIENCE: AUDIENCE,
};

export interface TokenClaims extends JWTPayload {
  /** Seconds from now; negative: expired. @default 60 */
  lives?: number;
}

type Key = CryptoKey | Uint8Array;

export async function sign(
  claims: TokenClaims,
  key: Key = new TextEncoder().encode(SECRET),
  alg = 'HS256',
  kid?: string,
): Promise<string> {
  const { lives = 60, ...payload } = claims;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ aud: AUDIENCE, iat: now, exp: now + lives, ...payload })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(key);
}

/** Claims as JSON text, which may hold what `JSON.stringify` cannot write. */
export const signText = (claims: string): Promise<string> =>
  new CompactSign(new TextEncoder().encode(claims)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));

/** A user's token for the shared secret. */
export const tokenOf = (sub: string, claims: TokenClaims = {}): Promise<string> => sign({ sub, ...claims });

/** `alg: none`, unsigned. */
export function unsigned(claims: JWTPayload): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 60, ...claims })}.`;
}

export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  publicPem: string;
  publicJwk: object;
}

export async function newSigningKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return {
    kid,
    privateKey,
    publicPem: await exportSPKI(publicKey),
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' },
  };
}

/** A real JWKS endpoint whose keys can be rotated, or which can be broken. */
export async function serveJwks(): Promise<{ url: string; keys: SigningKey[]; broken: boolean; stop(): Promise<void> }> {
  const state = { keys: [] as SigningKey[], broken: false };
  const server: Server = createServer((_request, response) => {
    if (state.broken) response.writeHead(500).end();
    else
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ keys: state.keys.map(({ publicJwk }) => publicJwk) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
