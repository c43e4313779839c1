/** `GET /ws/users/:user_id`: which devices a user is connected with, over all nodes. */
import { describeEngines } from '../support/engines.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { startService, type TestService } from '../support/service.js';

const KEY = 'an-api-key-of-a-service';

describeEngines('the devices of a user', (engine) => {
  let service: TestService;
  let other: TestService;
  const start = (): Promise<TestService> =>
    startService({
      environment: {
        ...engine.environment(),
        ...JWT_SETTINGS,
        WEBSOCKET_API_KEYS: KEY,
        WEBSOCKET_PING_INTERVAL: '0.1',
        WEBSOCKET_TRUST_PROXY: 'loopback',
      },
    });
  beforeAll(async () => {
    await engine.start();
    service = await start();
    other = 'WEBSOCKET_ENGINE' in engine.environment() ? await start() : service;
  });
  afterAll(async () => {
    if (other !== service) await other.stop();
    await service.stop();
    await engine.stop();
  });

  it('are shown to services and to the user, with start, node, address, round-trip time and queue', async () => {
    const before = Date.now() / 1000;
    const connect = async (at: TestService, address: string): Promise<{ close(): Promise<void> }> =>
      at.connect({ headers: { authorization: `Bearer ${await tokenOf('ann')}`, 'x-forwarded-for': address } });
    const phone = await connect(service, '192.0.2.1');
    await connect(other, '2001:DB8::1');
    const read = async (headers: Record<string, string>): Promise<Record<string, unknown>> =>
      (await service.rest('GET', '/ws/users/ann', undefined, headers)).body;
    let presence = await read({ 'x-api-key': KEY });
    const devices = (): Record<string, unknown>[] => presence['devices'] as Record<string, unknown>[];
    while (devices().length < 2 || devices().some((device) => device['round_trip_time'] === undefined))
      presence = await read({ 'x-api-key': KEY });
    expect(presence).toMatchObject({ user_id: 'ann', online: true, connections: 2 });
    expect(devices().map(({ address }) => address)).toEqual(['192.0.2.1', '2001:db8::1']);
    for (const { since, node, round_trip_time, queue_bytes } of devices()) {
      expect(since).toBeGreaterThan(before - 1);
      expect(since).toBeLessThan(Date.now() / 1000 + 1);
      expect(round_trip_time).toBeGreaterThan(0);
      expect(typeof node).toBe('string');
      expect(queue_bytes).toBeGreaterThanOrEqual(0);
    }
    expect(new Set(devices().map(({ node }) => node)).size).toBe(other === service ? 1 : 2);
    expect(await read({ authorization: `Bearer ${await tokenOf('ann')}` })).toMatchObject({ devices: [{}, {}] });
    expect(await read({ authorization: `Bearer ${await tokenOf('bob')}` })).toMatchObject({ code: 'NOT_FOUND' });
    await phone.close();
    while (devices().length > 1) presence = await read({ 'x-api-key': KEY });
    expect(presence).toMatchObject({ connections: 1, reconnects: 0, devices: [{ address: '2001:db8::1' }] });
  });

  it('are counted when they come back, and measured in total, in the status and the metrics of their node', async () => {
    const headers = { authorization: `Bearer ${await tokenOf('eve')}` };
    const asService = async (path: string): Promise<Record<string, unknown>> =>
      (await service.rest('GET', path, undefined, { 'x-api-key': KEY })).body;
    const quality = async (): Promise<unknown> => (await asService('/ws/status'))['quality'];
    expect(await quality()).toMatchObject({ reconnects: 0, queue_bytes: expect.any(Number) as number });
    const before = await service.connect({ headers });
    while ((await asService('/ws/users/eve'))['connections'] !== 1) continue;
    await before.close();
    while ((await asService('/ws/users/eve'))['connections'] !== 0) continue;
    await service.connect({ headers });
    while ((await asService('/ws/users/eve'))['connections'] !== 1) continue;
    expect(await asService('/ws/users/eve')).toMatchObject({ reconnects: 1 });
    expect(await asService('/ws/users/ann')).toMatchObject({ reconnects: 0 });
    while (!('round_trip_spread' in ((await quality()) as object))) continue;
    expect(await quality()).toMatchObject({
      round_trip_time: expect.any(Number) as number,
      round_trip_spread: expect.any(Number) as number,
      reconnects: 1,
    });
    const metrics = await (await fetch(`${service.url}/metrics`, { headers: { 'x-api-key': KEY } })).text();
    expect(metrics).toContain('\nwebsocket_reconnects_total 1\n');
  });
});
