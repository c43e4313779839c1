/** A node, a real process, that is stopped (SIGSTOP) while others go on, and wakes with work that it had not done yet. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { IN_TIME_MS } from '../../src/notification/engine/deadlines.js';
import { READING_LEASE_MS } from '../../src/notification/engine/redis/reading-lease.js';
import { DECIDE } from '../../src/notification/engine/redis/scripts/confirmation.js';
import { TestClient, type Frame } from '../support/client.js';
import { startProcess, type ServiceProcess } from '../support/process.js';
import { RedisServer } from '../support/redis.js';
import { callsOf } from '../support/redis-scripts.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy, type ProxiedConnection } from '../support/tcp-proxy.js';

type Body = Record<string, unknown>;

interface AskedPrompt {
  id: string;
  /** Unix milliseconds. */
  expiresAt: number;
  /** What the deadline decides. */
  byDefault: boolean;
  answer: boolean;
}

requireBinary('redis-server')('a node that is frozen', () => {
  let redis: RedisServer;
  /** Between the node that is frozen and Redis. */
  let proxy: TcpProxy;
  let frozen: ServiceProcess;
  let other: ServiceProcess;
  const clients: TestClient[] = [];

  beforeEach(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start({ port: redis.port });
    [frozen, other] = (await Promise.all(
      [proxy.port, redis.port].map((port) =>
        startProcess({
          WEBSOCKET_ENGINE: 'redis',
          WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${port}`,
          WEBSOCKET_TIMEOUT_DECISION: 'proceed',
        }),
      ),
    )) as [ServiceProcess, ServiceProcess];
    // Once a Redis knows it, a script is sent by its name: what is held back is then all there is to come.
    await redis.command('SCRIPT', 'LOAD', DECIDE.source);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    for (const node of [frozen, other]) {
      node.child.kill('SIGCONT');
      await node.stop('SIGKILL');
    }
    await proxy.close();
    await redis.stop();
  });

  const rest = async (node: ServiceProcess, path: string, body?: Body): Promise<Body> => {
    const response = await fetch(node.url + path, {
      method: body ? 'POST' : 'GET',
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return (await response.json()) as Body;
  };
  const connectAs = async (node: ServiceProcess, userId: string): Promise<TestClient> => {
    const client = await TestClient.connect(`${node.wsUrl}/ws`);
    clients.push(client);
    await client.request({ action: 'subscribe', user_id: userId });
    return client;
  };
  const ask = async (node: ServiceProcess, rest_: Body): Promise<{ id: string; expiresAt: number }> => {
    const question = { user_id: 'ann', task_id: 'deploy', step: 1, step_result: { message: 'Deploy?' }, ...rest_ };
    const { callback_id, expires_at } = await rest(node, '/ws/confirmations', question);
    return { id: String(callback_id), expiresAt: Number(expires_at) * 1000 };
  };
  const wait = async (node: ServiceProcess, id: string): Promise<Body> => {
    for (;;) {
      const state = await rest(node, `/ws/confirmations/${id}?wait=60`);
      if (state['code'] !== 'UNAVAILABLE') return state;
    }
  };
  /** Repeats the answer after `UNAVAILABLE`, as a client does: whether it counted is not known, and a repetition is safe. */
  const confirm = async (client: TestClient, callback_id: string, proceed: boolean): Promise<Frame> => {
    for (;;) {
      const reply = await client.request({ action: 'confirm', callback_id, proceed });
      if (reply['code'] !== 'UNAVAILABLE') return reply;
      await delay(20);
    }
  };
  /** Decisions in the streams of all partitions. */
  const decisions = async (): Promise<number> =>
    Number(
      /:(\d+)/.exec(
        await redis.command(
          'EVAL',
          `local sum = 0 for _, key in ipairs(redis.call('KEYS', '*:events')) do sum = sum + redis.call('XLEN', key) end return sum`,
          '0',
        ),
      )?.[1],
    );

  /** Each prompt gets an answer that differs from its default. */
  const askFour = async (ann: TestClient, timeout: number): Promise<AskedPrompt[]> => {
    const all = [
      { ...(await ask(frozen, { on_timeout: 'proceed', timeout })), byDefault: true, answer: false },
      { ...(await ask(frozen, { on_timeout: 'abort', timeout })), byDefault: false, answer: true },
      { ...(await ask(other, { on_timeout: 'error', timeout })), byDefault: false, answer: true },
      { ...(await ask(other, { on_timeout: 'abort', timeout })), byDefault: false, answer: true },
    ];
    await Promise.all(all.map(({ id }) => ann.next({ type: 'task_step_result', callback_id: id })));
    return all;
  };
  /**
   * Stops the node with all answers under way, before the deadline: the last one has left the node and has not reached
   * Redis, the others lie in the node's socket.
   */
  const answerAndFreeze = async (ann: TestClient, all: readonly AskedPrompt[]): Promise<ProxiedConnection> => {
    const send = ({ id, answer }: AskedPrompt): void =>
      ann.send({ action: 'confirm', callback_id: id, proceed: answer, request_id: id });
    const held = proxy.holdFrom(callsOf(DECIDE));
    all.slice(-1).forEach(send);
    const connection = await held;
    frozen.child.kill('SIGSTOP');
    all.slice(0, -1).forEach(send);
    expect(Math.min(...all.map(({ expiresAt }) => expiresAt))).toBeGreaterThan(Date.now());
    return connection;
  };

  it('is waited for over a deadline: the answers in its socket, and the one on its way to Redis, decide', async () => {
    const [ann, elsewhere] = [await connectAs(frozen, 'ann'), await connectAs(other, 'ann')];
    const all = await askFour(ann, 3);
    const connection = await answerAndFreeze(ann, all);
    await delay(Math.max(...all.map(({ expiresAt }) => expiresAt)) - Date.now() + 1000);
    expect(await decisions()).toBe(0);
    connection.resume();
    frozen.child.kill('SIGCONT');

    for (const { id, answer } of all) {
      let reply = await ann.next({ request_id: id });
      // The call's own time-out may have passed while the node stood still. The same answer again gets the same reply.
      if (reply['code'] === 'UNAVAILABLE') reply = await confirm(ann, id, answer);
      expect(reply).toMatchObject({ type: 'confirmation_accepted' });
      const decision = { state: 'answered', proceed: answer };
      expect(await Promise.all([wait(frozen, id), wait(other, id)])).toMatchObject([decision, decision]);
      const resolved = await elsewhere.next({ type: 'confirmation_resolved', callback_id: id });
      expect(resolved).toMatchObject({ outcome: 'answered', proceed: answer });
    }
    expect(await decisions()).toBe(4);
  }, 60_000);

  it('changes nothing when it wakes after a deadline and its own lease: every caller has the deadline’s decision', async () => {
    const [ann, elsewhere] = [await connectAs(frozen, 'ann'), await connectAs(other, 'ann')];
    const all = await askFour(ann, 3);
    const waiting = all.flatMap(({ id }) => [wait(frozen, id), wait(other, id)]);
    const connection = await answerAndFreeze(ann, all);
    const frozenAt = performance.now();
    for (const { id, byDefault } of all) {
      expect(await wait(other, id)).toMatchObject({ state: 'timed_out', proceed: byDefault });
      const resolved = await elsewhere.next({ type: 'confirmation_resolved', callback_id: id });
      expect(resolved).toMatchObject({ outcome: 'timed_out', proceed: byDefault });
    }
    // The lease began with the node's last mark, which may be a second old when the node is stopped.
    expect(performance.now() - frozenAt).toBeGreaterThan(READING_LEASE_MS - 2000);
    expect(await decisions()).toBe(4);
    connection.resume();
    frozen.child.kill('SIGCONT');

    for (const { id, answer, byDefault } of all) {
      let reply = await ann.next({ request_id: id });
      if (reply['code'] === 'UNAVAILABLE') reply = await confirm(ann, id, answer);
      expect(reply).toMatchObject({
        type: 'error',
        code: 'ALREADY_RESOLVED',
        confirmation: { state: 'timed_out', proceed: byDefault },
      });
    }
    const states = await Promise.all(waiting);
    expect(states).toMatchObject(
      all.flatMap(({ byDefault }) => Array<unknown>(2).fill({ state: 'timed_out', proceed: byDefault })),
    );
    expect(await decisions()).toBe(4);
    for (const { id } of all) expect(ann.received.filter((frame) => isResolved(frame, id)).length).toBeLessThan(2);
    // It works on.
    const next = await ask(other, { timeout: null });
    await ann.next({ type: 'task_step_result', callback_id: next.id });
    expect(await confirm(ann, next.id, true)).toMatchObject({ type: 'confirmation_accepted' });
    expect(await wait(other, next.id)).toMatchObject({ state: 'answered', proceed: true });
  }, 90_000);

  it('together with every other node loses no timely answer, and invents no proceed for the prompt without one', async () => {
    const ann = await connectAs(frozen, 'ann');
    const [prompt, unanswered] = [await ask(other, { timeout: 3 }), await ask(other, { timeout: 3 })];
    const waiting = [prompt, unanswered].map(({ id }) => [wait(frozen, id), wait(other, id)]);
    await ann.next({ type: 'task_step_result', callback_id: prompt.id });
    const held = proxy.holdFrom(callsOf(DECIDE));
    const reply = ann.request({ action: 'confirm', callback_id: prompt.id, proceed: true });
    const connection = await held;
    for (const node of [frozen, other]) node.child.kill('SIGSTOP');
    expect(prompt.expiresAt).toBeGreaterThan(Date.now());
    await delay(unanswered.expiresAt - Date.now() + IN_TIME_MS + 500);
    expect(await decisions()).toBe(0);
    // Only now, and before any node wakes, the answer reaches Redis.
    connection.resume();
    while ((await decisions()) === 0) await delay(10);
    for (const node of [frozen, other]) node.child.kill('SIGCONT');
    let accepted: Frame = await reply;
    if (accepted['code'] === 'UNAVAILABLE') accepted = await confirm(ann, prompt.id, true);
    expect(accepted).toMatchObject({ type: 'confirmation_accepted' });
    const answered = { state: 'answered', proceed: true };
    // The setting's default of *proceed* does not count for a time in which nothing ran.
    const timedOut = { state: 'timed_out', proceed: false };
    expect(await Promise.all(waiting.map((states) => Promise.all(states)))).toMatchObject([
      [answered, answered],
      [timedOut, timedOut],
    ]);
    expect(await decisions()).toBe(2);
  }, 60_000);

  it('answers a request that reached a connection of its own while the node stood, however long that was', async () => {
    const socket = connect({ port: frozen.port, host: '127.0.0.1' });
    await once(socket, 'connect');
    // It is accepted by then.
    await rest(frozen, '/ws/status');
    frozen.child.kill('SIGSTOP');
    socket.write('GET /ws/status HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await delay(5000);
    frozen.child.kill('SIGCONT');
    const [head] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(head.toString().split('\r\n', 1)).toEqual(['HTTP/1.1 200 OK']);
  });

  it('leaves the count after its lease, and returns with its connections', async () => {
    const [ann, elsewhere] = [await connectAs(frozen, 'ann'), await connectAs(other, 'ann')];
    const presence = async (): Promise<unknown> => (await rest(other, '/ws/users/ann'))['connections'];
    const nodes = async (): Promise<unknown> => ((await rest(other, '/ws/status'))['cluster'] as Body)['nodes'];
    const until = async (what: () => Promise<unknown>, value: unknown): Promise<void> => {
      while ((await what()) !== value) await delay(20);
    };
    await until(presence, 2);
    frozen.child.kill('SIGSTOP');
    await until(presence, 1);
    await until(nodes, 1);
    // Who connects now clears the dead one's connections away.
    const another = await connectAs(other, 'ann');
    const asked = await ask(other, { timeout: null });
    await another.next({ type: 'task_step_result', callback_id: asked.id });
    expect(await confirm(elsewhere, (await ask(other, { timeout: null })).id, true)).toMatchObject({
      type: 'confirmation_accepted',
    });
    frozen.child.kill('SIGCONT');
    await until(presence, 3);
    await until(nodes, 2);
    const leasesLost = async (node: ServiceProcess): Promise<string | undefined> =>
      /^engine_leases_lost_total (\d+)$/m.exec(await (await fetch(`${node.url}/metrics`)).text())?.[1];
    expect(await Promise.all([frozen, other].map(leasesLost))).toEqual(['1', '0']);
    await ann.next({ type: 'task_step_result', callback_id: asked.id });
    expect(await confirm(ann, asked.id, true)).toMatchObject({ type: 'confirmation_accepted' });
    expect(await another.next({ type: 'confirmation_resolved', callback_id: asked.id })).toMatchObject({ proceed: true });
    expect(ann.socket.readyState).toBe(ann.socket.OPEN);
  }, 60_000);
});

const isResolved = (frame: Frame, id: string): boolean => frame.type === 'confirmation_resolved' && frame['callback_id'] === id;
