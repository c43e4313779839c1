/**
 * The deployment that deploy/ describes: the real nginx on deploy/nginx.conf in front of three nodes, each a process of
 * its own, on one real Redis. Nobody chooses a node: everything goes through nginx, without sticky sessions.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestClient, type Frame } from '../support/client.js';
import { startNginx, type Nginx } from '../support/nginx.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { findBinary, requireBinary } from '../support/system.js';

const describeWithBoth = findBinary('nginx') ? requireBinary('redis-server') : requireBinary('nginx');

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

describeWithBoth('three nodes on one Redis behind nginx', () => {
  let redis: RedisServer;
  let folder: string;
  let nodes: ServiceProcess[];
  let nginx: Nginx;

  beforeAll(async () => {
    [redis, folder] = await Promise.all([RedisServer.start(), mkdtemp(join(tmpdir(), 'nodes-'))]);
    nodes = await Promise.all(
      [0, 1, 2].map((index) =>
        startProcess({
          WEBSOCKET_ENGINE: 'redis',
          WEBSOCKET_REDIS_URL: redis.url,
          WEBSOCKET_TRUST_PROXY: '127.0.0.1',
          WEBSOCKET_AUDIT_FILE: join(folder, `audit-${index}`),
        }),
      ),
    );
    nginx = await startNginx({ upstreams: nodes.map(({ port }) => `127.0.0.1:${port}`) });
  }, 60_000); // three processes start at once
  afterAll(async () => {
    await nginx.stop();
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const connect = (path = '/ws', options?: Parameters<typeof TestClient.connect>[1]): Promise<TestClient> =>
    TestClient.connect(nginx.url.replace('http', 'ws') + path, options);

  async function connectAs(userId: string, recover?: object): Promise<{ client: TestClient; confirmed: Frame }> {
    const client = await connect();
    return { client, confirmed: await client.request({ action: 'subscribe', user_id: userId, recover }) };
  }

  async function rest(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(nginx.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  const ask = (userId: string, query = ''): Promise<Answer> =>
    rest('POST', `/ws/confirmations${query}`, { user_id: userId, task_id: userId, step: 1, step_result: { message: '?' } });

  /** How many connections each node has; asked of the nodes themselves. */
  const counts = (): Promise<number[]> =>
    Promise.all(
      nodes.map(async ({ url }) => {
        const status = (await (await fetch(`${url}/ws/status`)).json()) as { active_connections: number };
        return status.active_connections;
      }),
    );

  /** What no event tells of: asked again until it holds. */
  async function until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds())) await delay(20);
  }

  /** What the nodes wrote down of a user's decision; the line may still be under way. */
  async function decisionOf(user: string): Promise<Record<string, unknown>> {
    for (; ; await delay(20)) {
      const files = await Promise.all([0, 1, 2].map((index) => readFile(join(folder, `audit-${index}`), 'utf8').catch(() => '')));
      const entries = files.join('').split('\n').filter(Boolean);
      const decisions = entries.map((line) => JSON.parse(line) as Record<string, unknown>);
      const found = decisions.find(({ event, userId }) => event === 'decision' && userId === user);
      if (found) return found;
    }
  }

  it.each(['/ws', '/ws/', '/'])('take connections at %s, each its share, and are counted together', async (path) => {
    const clients: TestClient[] = [];
    for (let count = 0; count < 6; count += 1) clients.push(await connect(path));
    for (const client of clients) await client.settled();
    expect(await counts()).toEqual([2, 2, 2]);
    const { body } = await rest('GET', '/ws/status');
    expect(body).toMatchObject({ running: true, cluster: { engine: 'redis', nodes: 3 } });
    for (const client of clients) await client.close();
    await until(async () => (await counts()).every((count) => count === 0));
  });

  it('show a question on every device of the user, wherever it is, and take the answer from any', async () => {
    const devices = [await connectAs('ann'), await connectAs('ann'), await connectAs('ann')].map(({ client }) => client);
    expect(await counts()).toEqual([1, 1, 1]);
    expect(await rest('GET', '/ws/users/ann')).toMatchObject({ body: { online: true, connections: 3 } });
    for (const [index, answering] of devices.entries()) {
      const decided = ask('ann', '?wait=10');
      const prompts = await Promise.all(devices.map((device) => device.next('task_step_result')));
      const { callback_id } = prompts[index] as Frame;
      expect(prompts.map((prompt) => prompt['callback_id'])).toEqual(Array(3).fill(callback_id));
      const reply = await answering.request({ action: 'confirm', callback_id, proceed: true });
      expect(reply).toMatchObject({ type: 'confirmation_accepted', callback_id });
      for (const device of devices)
        if (device !== answering) await device.next({ type: 'confirmation_resolved', callback_id: callback_id as string });
      expect(await decided).toMatchObject({ status: 201, body: { callback_id, state: 'answered', proceed: true } });
    }
    const { body } = await ask('ann');
    const answered = await rest('POST', `/ws/confirmations/${String(body['callback_id'])}/answer`, { proceed: false });
    expect(answered).toMatchObject({ status: 200, body: { state: 'answered', proceed: false } });
    for (const device of devices) await device.next({ type: 'confirmation_resolved', outcome: 'answered', proceed: false });
    for (const device of devices) await device.close();
  });

  it('know where a client calls from, whatever it claims', async () => {
    const far = await connect('/ws', { localAddress: '127.0.0.2', headers: { 'x-forwarded-for': '192.0.2.1' } });
    await far.request({ action: 'subscribe', user_id: 'bea' });
    const { body } = await ask('bea');
    await far.request({ action: 'confirm', callback_id: body['callback_id'], proceed: true });
    expect(await decisionOf('bea')).toMatchObject({ means: 'websocket', address: '127.0.0.2' });
    await far.close();
  });

  it('lose one to kill -9: its clients reconnect to the others and miss nothing', async () => {
    const { client: unlucky, confirmed: first } = await connectAs('cid');
    const owner = (await counts()).indexOf(1);
    const { client: second } = await connectAs('cid'); // on another node: they have fewer
    expect(await rest('GET', '/ws/users/cid')).toMatchObject({ body: { connections: 2 } });
    await nodes[owner]!.stop('SIGKILL');
    expect(await unlucky.closed()).toMatchObject({ code: 1006 });
    await rest('POST', '/ws/users/cid/messages', { type: 'note', n: 1 });
    await rest('POST', '/ws/users/cid/messages', { type: 'note', n: 2 });
    const { body } = await ask('cid');
    const { epoch, offset } = first;
    const { client: back, confirmed } = await connectAs('cid', { epoch, offset });
    expect(confirmed).toMatchObject({ epoch, pending: [body['callback_id']] });
    await back.next({ type: 'task_step_result', redelivered: true });
    expect([(await back.next('note'))['n'], (await back.next('note'))['n']]).toEqual([1, 2]);
    expect(await back.next('recovered')).toMatchObject({ recovered: true, offset: (offset as number) + 2 });
    await back.close();
    // The killed node's lease runs out.
    await until(async () => (await rest('GET', '/ws/users/cid')).body['connections'] === 1);
    await until(async () => ((await rest('GET', '/ws/status')).body['cluster'] as { nodes: number }).nodes === 2);
    await second.close();
  });

  it('close a stopping node’s connections with 1012, and take them on the one that is left', async () => {
    const living = nodes.filter(({ child }) => child.exitCode === null && child.signalCode === null);
    const clients = [await connectAs('fay'), await connectAs('fay')].map(({ client }) => client);
    const ended = living[0]!.stop();
    const closed = await Promise.race(clients.map((client) => client.closed()));
    expect(closed).toEqual({ code: 1012, reason: 'service restart' });
    const { client: back } = await connectAs('fay');
    expect(await ended).toEqual({ code: 0, signal: null });
    const decided = ask('fay', '?wait=10');
    const { callback_id } = await back.next('task_step_result');
    await back.request({ action: 'confirm', callback_id, proceed: true });
    expect(await decided).toMatchObject({ status: 201, body: { state: 'answered' } });
    expect((await fetch(`${nginx.url}/health/ready`)).status).toBe(200);
    for (const client of [back, ...clients]) client.socket.terminate();
  });
});
