/** Secure mode's tokens and origins, on the real service with real JWTs. */
import { jest } from '@jest/globals';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { AuthenticatedUser, Authenticator } from '../../src/notification/index.js';
import { Places } from '../../src/notification/gateway/places.js';
import { startService, type TestService } from '../support/service.js';
import { AUDIENCE, JWT_SETTINGS, newSigningKey, serveJwks, sign, signText, tokenOf, unsigned } from '../support/jwt.js';

const SECURE = {
  ...JWT_SETTINGS,
  WEBSOCKET_AUTH_FAILURES: '1000',
};
const API_KEY = 'an-api-key-of-a-service';
const bearer = (token: string): { headers: { authorization: string } } => ({ headers: { authorization: `Bearer ${token}` } });

let service: TestService;
afterEach(() => service.stop());

describe('a token', () => {
  it('is refused with 401 before the 101, and with UNAUTHENTICATED in a frame, for every kind of fault', async () => {
    service = await startService({ environment: SECURE });
    const wrong = {
      garbage: 'garbage',
      expired: await tokenOf('ann', { lives: -60 }),
      'of another audience': await tokenOf('ann', { aud: 'others' }),
      'without an audience': await tokenOf('ann', { aud: undefined }),
      'without sub': await sign({}),
      'with an empty sub': await tokenOf(''),
      'without exp': await tokenOf('ann', { exp: undefined }),
      unsigned: unsigned({ sub: 'ann' }),
      'signed with another secret': await sign({ sub: 'ann' }, new TextEncoder().encode('x'.repeat(40))),
      'cut short': (await tokenOf('ann')).slice(0, -3),
    };
    const client = await service.connect();
    for (const [what, token] of Object.entries(wrong)) {
      expect({ what, refusal: await service.connect(bearer(token)).catch((error: unknown) => error) }).toMatchObject({
        what,
        refusal: { status: 401 },
      });
      expect({ what, reply: await client.request({ action: 'authenticate', token }) }).toMatchObject({
        what,
        reply: { code: 'UNAUTHENTICATED' },
      });
      expect((await service.rest('GET', '/ws/users/ann', undefined, { authorization: `Bearer ${token}` })).status).toBe(401);
    }
  });

  it('signed with the public key as if it were a secret is refused', async () => {
    const key = await newSigningKey('k');
    service = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_PUBLIC_KEY: key.publicPem } });
    const good = await service.connect(bearer(await sign({ sub: 'ann' }, key.privateKey, 'ES256')));
    expect(await good.request({ action: 'ping' })).toMatchObject({ type: 'pong' });
    const confused = await sign({ sub: 'ann' }, new TextEncoder().encode(key.publicPem), 'HS256');
    await expect(service.connect(bearer(confused))).rejects.toMatchObject({ status: 401 });
  });

  it('is checked against a JWKS URL, whose keys rotate', async () => {
    const jwks = await serveJwks();
    const [first, second, foreign] = [await newSigningKey('first'), await newSigningKey('second'), await newSigningKey('first')];
    jwks.keys = [first];
    service = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWKS_URL: jwks.url } });
    const by = (key: typeof first): Promise<string> => sign({ sub: 'ann' }, key.privateKey, 'ES256', key.kid);
    await service.connect(bearer(await by(first)));
    await expect(service.connect(bearer(await by(foreign)))).rejects.toMatchObject({ status: 401 });
    jwks.keys = [first, second];
    await service.stop();
    service = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWKS_URL: jwks.url } });
    await service.connect(bearer(await by(second)));
    await service.connect(bearer(await by(first)));
    await service.stop();
    jwks.keys = [second];
    service = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWKS_URL: jwks.url } });
    await expect(service.connect(bearer(await by(first)))).rejects.toMatchObject({ status: 401 });
    await service.stop();
    jwks.broken = true;
    service = await startService({ environment: { WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWKS_URL: jwks.url } });
    await expect(service.connect(bearer(await by(second)))).rejects.toMatchObject({ status: 503 });
    await jwks.stop();
  });

  it('closes the connection with 4401 at its end, unless it is renewed', async () => {
    service = await startService({ environment: SECURE });
    const [idle, eager] = [await service.connect(bearer(await tokenOf('ann', { lives: 1 }))), await service.connect()];
    expect(await eager.request({ action: 'authenticate', token: await tokenOf('ann', { lives: 1 }) })).toMatchObject({
      type: 'authenticated',
      user_id: 'ann',
      expires_at: expect.any(Number),
    });
    expect(await eager.request({ action: 'authenticate', token: await tokenOf('bob') })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await eager.request({ action: 'authenticate', token: await tokenOf('ann') })).toMatchObject({ type: 'authenticated' });
    expect(await idle.closed()).toEqual({ code: 4401, reason: 'unauthenticated' });
    await eager.settled();
  });

  it('counts in the query string only where a setting allows it', async () => {
    service = await startService({ environment: SECURE });
    const token = await tokenOf('ann');
    const ignored = await service.connect({}, `/ws?token=${token}`);
    expect(await ignored.request({ action: 'ping' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    await service.stop();
    service = await startService({ environment: { ...SECURE, WEBSOCKET_TOKEN_IN_QUERY: 'on' } });
    const taken = await service.connect({}, `/ws?token=${token}`);
    expect(await taken.request({ action: 'ping' })).toMatchObject({ type: 'pong' });
    await expect(service.connect({}, '/ws?token=nope')).rejects.toMatchObject({ status: 401 });
  });

  it('closes the connection if its user is revoked after the check, before the connection is the user’s', async () => {
    service = await startService({ environment: { ...SECURE, WEBSOCKET_API_KEYS: API_KEY } });
    const places = service.app.get(Places, { strict: false });
    const reserve = places.reserve.bind(places);
    jest.spyOn(places, 'reserve').mockImplementationOnce(async (isAuthenticated) => {
      await service.rest('POST', '/ws/users/ann/revoke', {}, { 'x-api-key': API_KEY });
      return reserve(isAuthenticated);
    });
    const client = await service.connect(bearer(await tokenOf('ann', { iat: Math.floor(Date.now() / 1000) - 5 })));
    expect(await client.closed()).toEqual({ code: 4401, reason: 'revoked' });
  });

  it('is refused after its user’s revocation, which closes the user’s connections; a newer one is accepted', async () => {
    service = await startService({ environment: { ...SECURE, WEBSOCKET_API_KEYS: 'an-api-key-of-a-service' } });
    const iat = Math.floor(Date.now() / 1000) - 5;
    const old = await tokenOf('ann', { iat });
    const [one, two, bob] = [
      await service.connect(bearer(old)),
      await service.connect(bearer(old)),
      await service.connect(bearer(await tokenOf('bob'))),
    ];
    await Promise.all([one, two, bob].map((client) => client.settled()));
    expect(await service.rest('POST', '/ws/users/ann/revoke', {}, { 'x-api-key': 'an-api-key-of-a-service' })).toMatchObject({
      status: 200,
      body: { user_id: 'ann' },
    });
    expect(await one.closed()).toEqual({ code: 4401, reason: 'revoked' });
    await two.closed();
    await bob.settled();
    await expect(service.connect(bearer(old))).rejects.toMatchObject({ status: 401 });
    const later = await tokenOf('ann', { iat: Math.floor(Date.now() / 1000) + 2 });
    await (await service.connect(bearer(later))).settled();
    const { dataDir } = service;
    await service.app.close();
    service = await startService({ environment: SECURE, dataDir });
    await expect(service.connect(bearer(old))).rejects.toMatchObject({ status: 401 });
  });

  it('is refused with 401 when a claim has the wrong type or is from the future, and accepted with a small skew', async () => {
    service = await startService({ environment: SECURE });
    const now = Math.floor(Date.now() / 1000);
    const good = `"sub":"ann","exp":${now + 60}`;
    const refused = [
      `${good},"iat":${now + 3600}`,
      `${good},"iat":${Date.now()}`,
      `${good},"iat":1e400`,
      `${good},"iat":-5`,
      `${good},"iat":"${now}"`,
      `${good},"iat":null`,
      `${good},"nbf":${now + 3600}`,
      `${good},"nbf":1e400`,
      `${good},"nbf":"0"`,
      `"sub":"ann","exp":1e400`,
      `"sub":"ann","exp":-1e400`,
      `"sub":"ann","exp":${Date.now() + 60_000}`,
      `"sub":"ann","exp":"${now + 60}"`,
      `"sub":"ann","exp":[${now + 60}]`,
      `"sub":"ann","exp":null`,
      `"sub":null,"exp":${now + 60}`,
      `"sub":"","exp":${now + 60}`,
      `"sub":7,"exp":${now + 60}`,
      `"sub":["ann"],"exp":${now + 60}`,
      `"sub":{"id":"ann"},"exp":${now + 60}`,
      `"sub":"a\\u0000b","exp":${now + 60}`,
      `"sub":"${'a'.repeat(257)}","exp":${now + 60}`,
    ];
    for (const claims of refused) {
      const token = await signText(`{"aud":"${AUDIENCE}",${claims}}`);
      expect([claims, await service.connect(bearer(token)).catch((error: unknown) => error)]).toEqual([
        claims,
        expect.objectContaining({ status: 401 }),
      ]);
      expect([claims, (await service.rest('GET', '/ws/users/ann', undefined, bearer(token).headers)).status]).toEqual([
        claims,
        401,
      ]);
    }
    await (await service.connect(bearer(await signText(`{"aud":"${AUDIENCE}",${good},"iat":${now + 3}.5}`)))).settled();
  });

  it('is refused when an application’s own authenticator returns an identity without a user or with impossible times', async () => {
    let identity: unknown;
    service = await startService({
      options: { authenticator: { authenticate: async () => identity as AuthenticatedUser }, authenticationFailures: 1000 },
    });
    const later = Date.now() + 60_000;
    for (identity of [
      null,
      'ann',
      {},
      { userId: null },
      { userId: ['ann'] },
      { userId: '' },
      { userId: 'ann', expiresAt: Number.NaN },
      { userId: 'ann', expiresAt: Infinity },
      { userId: 'ann', expiresAt: String(later) },
      { userId: 'ann', expiresAt: null },
      { userId: 'ann', expiresAt: new Date(later) },
      { userId: 'ann', expiresAt: later * 1000 },
      { userId: 'ann', issuedAt: later },
      { userId: 'ann', issuedAt: Infinity },
      { userId: 'ann', issuedAt: '0' },
      { userId: 'ann', issuedAt: -1 },
    ]) {
      const refusal = await service.connect(bearer('x')).catch((error: unknown) => error);
      expect([identity, refusal]).toEqual([identity, expect.objectContaining({ status: 401 })]);
    }
    identity = { userId: 'ann', expiresAt: later, issuedAt: Date.now() };
    await (await service.connect(bearer('x'))).settled();
  });

  it('gets 429 when it is wrong after too many failures from its address, and is accepted when it is valid', async () => {
    service = await startService({ environment: { ...SECURE, WEBSOCKET_AUTH_FAILURES: '3', WEBSOCKET_API_KEYS: API_KEY } });
    const good = await tokenOf('ann');
    for (let count = 0; count < 3; count += 1)
      await expect(service.connect(bearer('guess'))).rejects.toMatchObject({ status: 401 });
    const client = await service.connect();
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await service.rest('GET', '/ws/users/ann', undefined, headers)).status;
    for (let count = 0; count < 20; count += 1)
      await expect(service.connect(bearer('guess'))).rejects.toMatchObject({ status: 429 });
    expect(await status(bearer('guess').headers)).toBe(429);
    expect(await status({ 'x-api-key': 'a-guess-at-an-api-key' })).toBe(429);
    expect(await client.request({ action: 'authenticate', token: 'guess' })).toMatchObject({ code: 'RATE_LIMITED' });
    await (await service.connect(bearer(good))).settled();
    expect(await status(bearer(good).headers)).toBe(200);
    expect(await status({ 'x-api-key': API_KEY })).toBe(200);
    expect(await client.request({ action: 'authenticate', token: good })).toMatchObject({ type: 'authenticated' });
  });

  it('is accepted when it is valid while many guesses from its address are still being checked', async () => {
    const guesses: (() => void)[] = [];
    let most = 0;
    const authenticator: Authenticator = {
      authenticate: async (token) => {
        if (token === 'good') return { userId: 'ann' };
        await new Promise<void>((resolve) => {
          guesses.push(resolve);
          most = Math.max(most, guesses.length);
        });
        return undefined;
      },
    };
    service = await startService({ options: { authenticator, authenticationFailures: 1 } });
    const refused = (): Promise<unknown> => service.connect(bearer('guess')).catch((error: unknown) => error);
    const first = refused();
    while (guesses.length === 0) await new Promise(setImmediate);
    guesses.shift()?.();
    await first;
    const flood = Array.from({ length: 40 }, refused);
    while (guesses.length < 8) await new Promise(setImmediate);
    const good = service.connect(bearer('good'));
    const finish = (async () => {
      for (let checked = 0; checked < 40; checked += 1) {
        while (guesses.length === 0) await new Promise(setImmediate);
        guesses.shift()?.();
      }
    })();
    await (await good).settled();
    await finish;
    await Promise.all(flood);
    expect(most).toBe(8);
  });
});

describe('an origin', () => {
  const ALLOWED = 'https://app.example';
  it.each([
    ['absent', undefined, 101],
    ['the allowed one', ALLOWED, 101],
    ['null', 'null', 403],
    ['empty', '', 403],
    ['a sub-domain', 'https://evil.app.example', 403],
    ['a longer name', 'https://app.example.evil.example', 403],
    ['another case', 'https://APP.example', 403],
    ['another scheme', 'http://app.example', 403],
    ['a port', 'https://app.example:8443', 403],
    ['the default port', 'https://app.example:443', 403],
    ['a trailing dot', 'https://app.example.', 403],
    ['a trailing slash', 'https://app.example/', 403],
    ['a user', 'https://app.example@evil.example', 403],
  ])('is checked: %s', async (_what, origin, status) => {
    service = await startService({ environment: { ...SECURE, WEBSOCKET_ALLOWED_ORIGINS: ALLOWED } });
    const headers = { ...bearer(await tokenOf('ann')).headers, ...(origin !== undefined && { origin }) };
    const connecting = service.connect({ headers });
    if (status === 101) await (await connecting).settled();
    else await expect(connecting).rejects.toMatchObject({ status });
  });

  it('is refused in either mode where none is listed', async () => {
    service = await startService({ environment: SECURE });
    await expect(service.connect({ ...bearer(await tokenOf('ann')), origin: ALLOWED })).rejects.toMatchObject({ status: 403 });
    await service.stop();
    service = await startService();
    await expect(service.connect({ origin: ALLOWED })).rejects.toMatchObject({ status: 403 });
  });
});

describe('an address', () => {
  it('is the peer’s, whatever X-Forwarded-For says, unless the proxy is trusted', async () => {
    service = await startService({ environment: { WEBSOCKET_MAX_CONNECTIONS_PER_ADDRESS: '2' } });
    const from = (address: string): object => ({ headers: { 'x-forwarded-for': address } });
    await service.connect(from('10.0.0.1'));
    await service.connect(from('10.0.0.2'));
    expect(await (await service.connect(from('10.0.0.3'))).closed()).toMatchObject({ code: 1013 });
    await service.stop();
    service = await startService({
      environment: { WEBSOCKET_MAX_CONNECTIONS_PER_ADDRESS: '2', WEBSOCKET_TRUST_PROXY: 'loopback' },
    });
    await service.connect(from('10.0.0.1'));
    await service.connect(from('10.0.0.1'));
    await (await service.connect(from('10.0.0.2'))).settled();
    // Only what the trusted proxy has added, the last, is believed.
    expect(await (await service.connect(from('10.9.9.9, 10.0.0.1'))).closed()).toMatchObject({ code: 1013 });
  });

  it('gets 429 when it begins too many handshakes', async () => {
    service = await startService({ environment: { WEBSOCKET_HANDSHAKE_RATE: '1' } });
    for (let count = 0; count < 10; count += 1) await service.connect();
    await expect(service.connect()).rejects.toMatchObject({ status: 429 });
  });
});

describe('a handshake', () => {
  // Within six seconds; how long it took is not asserted, that it happens is.
  it('is cut when it is slow or never completes', async () => {
    service = await startService({ environment: SECURE });
    const sockets: Socket[] = Array.from({ length: 60 }, () => connectTcp(service.port, '127.0.0.1'));
    const trickles = sockets.slice(0, 30).map((socket) => {
      const text = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n';
      let sent = 0;
      return setInterval(() => socket.writable && socket.write(text[sent++] ?? 'x'), 500);
    });
    for (const socket of sockets) socket.on('error', () => undefined).resume();
    await Promise.all(sockets.map((socket) => once(socket, 'close')));
    for (const trickle of trickles) clearInterval(trickle);
  });
});
