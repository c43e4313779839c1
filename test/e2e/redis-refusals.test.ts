/** What Redis says reaches the operator, in one line, and no client. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:tls';
import { describeEngines } from '../support/engines.js';
import { startProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { startService, type TestService } from '../support/service.js';
import { requireBinary } from '../support/system.js';
import { TestClient } from '../support/client.js';

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A server that answers like one of another age. */
async function serverThatSays(...replies: [asked: string, reply: string][]): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const command of data.toString().match(/\*\d+\r\n\$\d+\r\n\w+/g) ?? []) {
        const [, reply] = replies.find(([asked]) => command.endsWith(asked)) ?? ['', '+OK\r\n'];
        socket.write(reply);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

requireBinary('redis-server')('a Redis that cannot be used', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(async () => {
    await redis.stop();
  });

  /** Why a service does not start on it. */
  const startedOn = async (url: string): Promise<unknown> => {
    try {
      const service = await startService({ environment: { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: url } });
      await service.stop();
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const refusal = (reason: string): unknown =>
    expect.objectContaining({
      name: 'ConfigurationError',
      message: expect.stringMatching(new RegExp(`^Redis cannot be used: .*${reason}.*$`)) as string,
    });

  it('stops the start with one line when the password, the user or a right is the reason', async () => {
    await redis.pipeline(
      ['ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '&*', '+@all', '-info'],
      ['ACL', 'SETUSER', 'narrow', 'on', '>secret', '~other:*', '&*', '+@all'],
    );
    const at = (login: string): string => redis.url.replace('//', `//${login}@`);
    const [wrong, right, keys] = await Promise.all([
      startedOn(at('reader:wrong')),
      startedOn(at('reader:secret')),
      startedOn(at('narrow:secret')),
    ]);
    expect(wrong).toEqual(refusal('WRONGPASS'));
    expect(right).toEqual(refusal("NOPERM .*'info'"));
    expect(keys).toEqual(refusal('(NOPERM|No permissions)'));
  });

  it('stops the start with one line when no server listens, or one that expects TLS or plain text', async () => {
    const tls = createTlsServer().listen(0, '127.0.0.1');
    tls.on('tlsClientError', (_error, socket) => socket.destroy());
    await once(tls, 'listening');
    const gone = await RedisServer.start();
    await gone.kill9();
    const [nobody, plain, encrypted] = await Promise.all([
      startedOn(gone.url),
      startedOn(redis.url.replace('redis:', 'rediss:')),
      startedOn(`redis://127.0.0.1:${portOf(tls)}`),
    ]);
    tls.close();
    await gone.stop();
    expect(nobody).toEqual(refusal('ECONNREFUSED'));
    expect(plain).toEqual(refusal('redis:// URL'));
    expect(encrypted).toEqual(refusal('rediss:// URL'));
  });

  it('stops the start with one line when the server is a replica or too old', async () => {
    const replica = await redis.startReplica();
    const old = await serverThatSays(['HELLO', "-ERR unknown command 'HELLO'\r\n"]);
    const six = await serverThatSays(['HELLO', '%1\r\n$5\r\nproto\r\n:3\r\n'], ['INFO', '$22\r\nredis_version:6.2.14\r\n\r\n']);
    const [readOnly, five, sixth] = await Promise.all([
      startedOn(replica.url),
      startedOn(`redis://127.0.0.1:${portOf(old)}`),
      startedOn(`redis://127.0.0.1:${portOf(six)}`),
    ]);
    await replica.stop();
    for (const server of [old, six]) server.close();
    expect(readOnly).toEqual(refusal('READONLY'));
    expect(five).toEqual(refusal("unknown command 'HELLO'"));
    expect(sixth).toMatchObject({ name: 'ConfigurationError', message: 'Redis 6.2.14 is too old: 7.0 or later is needed' });
  });

  it('is logged once while the service runs, and answered to clients in the service’s own words', async () => {
    const service = await startProcess({ WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url });
    let log = '';
    service.child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const client = await TestClient.connect(`${service.wsUrl}/ws`);
    await redis.command('REPLICAOF', '127.0.0.1', '1');
    const refused = [];
    for (let call = 0; call < 3; call += 1) {
      const cancel = await client.request({ action: 'cancel', user_id: 'ann', task_id: `task-${call}` });
      refused.push([cancel['code'], cancel['message']]);
      const response = await fetch(`${service.url}/ws/broadcast`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'hello' }),
      });
      const { code, message } = (await response.json()) as { code: string; message: string };
      refused.push([code, message]);
    }
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await service.stop();
    for (const each of refused) expect(each).toEqual(['UNAVAILABLE', 'Redis could not carry out the call']);
    expect(log.match(/Redis: READONLY/g)).toHaveLength(1);
  });
});

describeEngines('a cursor that no list gave', (engine) => {
  let service: TestService;
  beforeAll(async () => {
    await engine.start();
    service = await startService({ environment: engine.environment() });
  });
  afterAll(async () => {
    await service.stop();
    await engine.stop();
  });

  it.each(['abc', '(1', '1.2.3', '-inf', '1e400', '[a', ' ', '9'.repeat(60)])('is refused with its name: %j', async (cursor) => {
    const named = { code: 'INVALID_MESSAGE', fields: { cursor: expect.any(String) as string } };
    const list = await service.rest('GET', `/ws/users/ann/confirmations?cursor=${encodeURIComponent(cursor)}`);
    expect([list.status, list.body]).toEqual([400, expect.objectContaining(named)]);
    const client = await service.connectAs('ann');
    expect(await client.request({ action: 'pending', cursor })).toMatchObject({ type: 'error', ...named });
    await client.close();
  });
});
