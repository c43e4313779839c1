/** Recovery (PROTOCOL.md, *Positions*): from a position to live on every kind of channel, whatever happens meanwhile. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestClient, type Frame } from '../support/client.js';
import { FlakyClient } from '../support/bad-network-client.js';
import { startProcess } from '../support/process.js';
import { RawClient } from '../support/raw-client.js';
import { startService, type ServiceSettings, type TestService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';

interface Kind {
  kind: string;
  channel: (id: string) => string;
  target: (id: string) => object;
  publish: (service: TestService, id: string, message: { type: string; n: number }) => Promise<unknown>;
}

const KINDS: Kind[] = [
  {
    kind: 'user',
    channel: (id) => `user:${id}`,
    target: (id) => ({ user_id: id }),
    publish: (service, id, message) => service.notifications.sendToUser(id, message),
  },
  {
    kind: 'task',
    channel: (id) => `task:${id}`,
    target: (id) => ({ task_id: id }),
    publish: (service, id, message) => service.notifications.sendToTask(id, message),
  },
  {
    kind: 'broadcast',
    channel: () => 'broadcast',
    target: () => ({ channel: 'broadcast' }),
    publish: (service, _id, message) => service.notifications.broadcastMessage(message),
  },
  {
    kind: 'named',
    channel: (id) => `news-${id}`,
    target: (id) => ({ channel: `news-${id}` }),
    publish: (service, id, message) => service.notifications.publish(`news-${id}`, message),
  },
];

const services: TestService[] = [];
const cleanUps: (() => Promise<unknown>)[] = [];
const start = async (settings?: ServiceSettings): Promise<TestService> => {
  const service = await startService(settings);
  services.push(service);
  return service;
};
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'recovery-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
};
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  for (const service of services.splice(0)) await service.stop();
});
afterAll(async () => {
  for (const service of services.splice(0)) await service.stop();
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const offsetsOf = (frames: Frame[]): number[] => frames.map(({ offset }) => offset as number);

/** A source of the same numbers every time (xorshift32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

/** Everything on a channel that a client got after the reply to its `subscribe`, up to a publication `n`. */
async function messagesAfterReply(client: TestClient, channel: string, until: number): Promise<Frame[]> {
  await client.next((frame) => frame['channel'] === channel && frame['n'] === until);
  const reply = client.received.findIndex(({ type, ...frame }) => type === 'subscription_confirmed' && frame.channel === channel);
  return client.received.slice(reply).filter((frame) => frame['channel'] === channel && frame.type === 'note');
}

describe.each(KINDS)('a $kind channel', ({ channel: channelOf, target, publish }) => {
  const channel = channelOf('ann');

  it('gives back what was missed once and in order, while publications go on, and then is live', async () => {
    const service = await start();
    const first = await service.connect();
    const { epoch } = await first.request({ action: 'subscribe', ...target('ann') });
    await publish(service, 'ann', { type: 'note', n: 1 });
    await first.next({ channel, n: 1 });
    first.socket.terminate();
    for (const n of range(2, 150)) await publish(service, 'ann', { type: 'note', n });
    const publishing = (async () => {
      for (const n of range(151, 600)) await publish(service, 'ann', { type: 'note', n });
    })();
    const second = await service.connect();
    second.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 1 } });
    const recovered = await second.next('recovered');
    expect(recovered).toMatchObject({ channel, recovered: true, epoch });
    await publishing;
    expect(offsetsOf(await messagesAfterReply(second, channel, 600))).toEqual(range(2, 600));
    // Everything up to the position that `recovered` gives stands before it, all the rest behind it.
    const at = second.received.indexOf(recovered);
    const before = second.received.slice(0, at).filter(({ type, offset }) => type === 'note' && Number(offset) > 1);
    expect(before.at(-1)?.['offset']).toBe(recovered['offset']);
  });

  it('begins exactly after the position in the reply when nothing is to be recovered', async () => {
    const service = await start();
    const publishing = (async () => {
      for (const n of range(1, 400)) await publish(service, 'ann', { type: 'note', n });
    })();
    const clients = await Promise.all(range(1, 8).map(() => service.connect()));
    const replies = await Promise.all(clients.map((client) => client.request({ action: 'subscribe', ...target('ann') })));
    await publishing;
    await publish(service, 'ann', { type: 'note', n: 401 });
    for (const [index, client] of clients.entries()) {
      const from = Number(replies[index]!['offset']) + 1;
      expect(offsetsOf(await messagesAfterReply(client, channel, 401))).toEqual(range(from, 401));
      expect(client.pendingFrames('recovered')).toEqual([]);
    }
  });

  it.each([
    { why: 'another epoch', since: { epoch: 'another', offset: 3 } },
    { why: 'a position that history has dropped', since: { offset: 3 } },
    { why: 'a position that was never reached', since: { offset: 5000 } },
  ])('says recovered: false for $why, and is live without a gap from the position that it names', async ({ since }) => {
    const service = await start({ environment: { WEBSOCKET_HISTORY_SIZE: '5' } });
    const probe = await service.connect();
    const { epoch } = await probe.request({ action: 'subscribe', ...target('ann') });
    for (const n of range(1, 20)) await publish(service, 'ann', { type: 'note', n });
    const publishing = (async () => {
      for (const n of range(21, 60)) await publish(service, 'ann', { type: 'note', n });
    })();
    const client = await service.connect();
    client.send({ action: 'subscribe', ...target('ann'), recover: { epoch, ...since } });
    const recovered = await client.next('recovered');
    expect(recovered).toMatchObject({ channel, recovered: false, epoch });
    await publishing;
    await publish(service, 'ann', { type: 'note', n: 61 });
    await client.next({ channel, n: 61 });
    const after = client.received.slice(client.received.indexOf(recovered)).filter(({ type }) => type === 'note');
    expect(offsetsOf(after)).toEqual(range(Number(recovered['offset']) + 1, 61));
  });

  it('still recovers from the oldest position that history has', async () => {
    const service = await start({ environment: { WEBSOCKET_HISTORY_SIZE: '5' } });
    const client = await service.connect();
    const { epoch } = await client.request({ action: 'subscribe', ...target('ann') });
    for (const n of range(1, 20)) await publish(service, 'ann', { type: 'note', n });
    await client.next({ channel, n: 20 });
    const late = await service.connect();
    late.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 15 } });
    expect(await late.next('recovered')).toMatchObject({ recovered: true, offset: 20 });
    expect(offsetsOf(await messagesAfterReply(late, channel, 20))).toEqual(range(16, 20));
  });

  it('says recovered: false when what was missed has expired', async () => {
    const service = await start({ environment: { WEBSOCKET_HISTORY_TTL: '0.3' } });
    const client = await service.connect();
    const { epoch } = await client.request({ action: 'subscribe', ...target('ann') });
    for (const n of range(1, 3)) await publish(service, 'ann', { type: 'note', n });
    let recovered: Frame;
    do {
      await client.request({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 1 } });
      recovered = await client.next('recovered');
    } while (recovered['recovered'] === true);
    expect(recovered).toMatchObject({ epoch, offset: 3 });
    await publish(service, 'ann', { type: 'note', n: 4 });
    expect(await client.next({ channel, n: 4 })).toMatchObject({ offset: 4 });
  });

  it('recovers across a restart on the same data folder, and says so on a fresh one', async () => {
    const folder = await newFolder();
    const before = await start({ dataDir: folder });
    const client = await before.connect();
    const { epoch } = await client.request({ action: 'subscribe', ...target('ann') });
    for (const n of range(1, 10)) await publish(before, 'ann', { type: 'note', n });
    await before.stop();

    const again = await start({ dataDir: folder });
    await publish(again, 'ann', { type: 'note', n: 11 });
    const back = await again.connect();
    back.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 4 } });
    expect(await back.next('recovered')).toMatchObject({ recovered: true, epoch, offset: 11 });
    expect(offsetsOf(await messagesAfterReply(back, channel, 11))).toEqual(range(5, 11));
    await again.stop();

    const fresh = await start();
    const stranger = await fresh.connect();
    stranger.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 4 } });
    const recovered = await stranger.next('recovered');
    expect(recovered).toMatchObject({ recovered: false, offset: 0 });
    expect(recovered['epoch']).not.toBe(epoch);
  });

  it('gives the later of two overlapping recoveries everything from its own position', async () => {
    const service = await start();
    const client = await service.connect();
    const { epoch } = await client.request({ action: 'subscribe', ...target('ann') });
    for (const n of range(1, 300)) await publish(service, 'ann', { type: 'note', n });
    const twice = await service.connect();
    twice.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 250 }, request_id: 'first' });
    twice.send({ action: 'subscribe', ...target('ann'), recover: { epoch, offset: 100 }, request_id: 'second' });
    const { received } = twice;
    const second = await twice.next({ request_id: 'second' });
    await twice.next((frame) => frame.type === 'recovered' && received.indexOf(frame) > received.indexOf(second));
    await publish(service, 'ann', { type: 'note', n: 301 });
    await twice.next({ channel, n: 301 });
    const reply = twice.received.findIndex(({ request_id }) => request_id === 'second');
    const notes = twice.received.slice(reply).filter(({ type }) => type === 'note');
    expect(new Set(offsetsOf(notes))).toEqual(new Set(range(101, 301)));
    expect(twice.received.slice(reply).filter(({ type }) => type === 'recovered').length).toBeGreaterThan(0);
    expect(twice.received.findLast(({ type }) => type === 'recovered')).toMatchObject({ recovered: true, offset: 300 });
  });
});

describe('on a network that breaks', () => {
  it.each([11, 12])('delivers nothing twice, and reports every gap (seed %i)', async (seed) => {
    const random = seeded(seed);
    const service = await start({ environment: { WEBSOCKET_HISTORY_SIZE: '60' } });
    const proxy = await TcpProxy.start({ port: service.port, seed });
    cleanUps.push(() => proxy.close());
    proxy.delay(0, { jitterMs: 3 });
    const clients = ['ann', 'bob', 'cid'].map(
      (user) =>
        new FlakyClient({
          url: () => `ws://127.0.0.1:${proxy.port}/ws`,
          channels: Object.fromEntries(KINDS.map(({ channel, target }) => [channel(user), target(user)])),
        }),
    );
    cleanUps.push(() => Promise.all(clients.map((client) => client.stop())));
    await Promise.all(clients.map((client) => client.ready()));
    const published = new Map<string, number>();
    for (let round = 0; round < 250; round += 1) {
      const { channel, publish } = KINDS[Math.floor(random() * KINDS.length)]!;
      const user = ['ann', 'bob', 'cid'][Math.floor(random() * 3)]!;
      // Sometimes more than history holds, so that `recovered: false` must be said.
      const burst = random() < 0.02 ? 80 : 1 + Math.floor(random() * 6);
      const to = (published.get(channel(user)) ?? 0) + burst;
      const sends = range(to - burst + 1, to).map((n) => publish(service, user, { type: 'note', n }));
      published.set(channel(user), to);
      await sends[0];
      if (random() < 0.12) [...proxy.connections][Math.floor(random() * proxy.connections.size)]?.cut();
      await Promise.all(sends);
    }
    await Promise.all(clients.map((client) => client.ready()));
    for (const [index, user] of ['ann', 'bob', 'cid'].entries()) {
      const client = clients[index]!;
      for (const { channel } of KINDS) {
        await client.until(() => client.isReady && client.position(channel(user)).offset === (published.get(channel(user)) ?? 0));
      }
      expect(client.counts).toMatchObject({ gaps: 0, repetitions: 0 });
    }
    // How often a cut met a burst is the machine's affair; that connections broke and came back is not.
    const total = (name: 'connects' | 'recovered'): number => clients.reduce((sum, { counts }) => sum + counts[name], 0);
    expect(total('connects')).toBeGreaterThan(clients.length);
    expect(total('recovered')).toBeGreaterThan(0);
  });

  it('detects a frozen peer, and shows what was sent to it on the user’s next connection', async () => {
    const service = await start({
      // As many messages as a fast machine sends until the peer is found.
      environment: { WEBSOCKET_PING_INTERVAL: '0.2', WEBSOCKET_PING_TIMEOUT: '0.2', WEBSOCKET_HISTORY_SIZE: '100000' },
    });
    const proxy = await TcpProxy.start({ port: service.port });
    cleanUps.push(() => proxy.close());
    const frozen = new FlakyClient({
      url: () => `ws://127.0.0.1:${proxy.port}/ws`,
      channels: { 'user:ann': { user_id: 'ann' } },
    });
    cleanUps.push(() => frozen.stop());
    await frozen.ready();
    await service.notifications.sendToUser('ann', { type: 'note', n: 0 });
    await frozen.until(() => frozen.messages.length === 1);
    proxy.blackHole();
    service.ask({ message: 'Go on?' }, 'ann', 'task', 1);
    await service.notifications.sendToUser('ann', { type: 'invoice' }, { requiresAck: true });
    let sent = 0;
    let reached: number;
    do {
      ({ deliveredTo: reached } = await service.notifications.sendToUser('ann', { type: 'note', n: ++sent }));
    } while (reached > 0);
    expect(service.notifications.getConnectionCount()).toBe(0);
    expect(frozen.messages).toHaveLength(1);
    // The network is back: the frozen connection ends, and the client comes back by itself.
    proxy.cut();
    await proxy.resume();
    await frozen.until(() => frozen.position('user:ann').offset === sent + 1);
    await frozen.until(() => frozen.others.length >= 2);
    expect(frozen.counts).toMatchObject({ gaps: 0, repetitions: 0, unrecovered: 0 });
    expect(frozen.others.map(({ type }) => type)).toEqual(['task_step_result', 'invoice']);
  });
});

describe('a slow reader', () => {
  it('gets what is published while the last page of history waits in its socket', async () => {
    const service = await start();
    const probe = await service.connect();
    const { epoch } = await probe.request({ action: 'subscribe', channel: 'news' });
    await probe.close();
    const pad = 'x'.repeat(100_000);
    for (const n of range(1, 90)) await service.notifications.publish('news', { type: 'note', n, pad });
    const slow = await RawClient.connect({ port: service.port });
    cleanUps.push(() => (slow.isClosed ? Promise.resolve() : slow.reset()));
    slow.send({ action: 'subscribe', channel: 'news', recover: { epoch, offset: 0 } });
    await slow.next(({ type }) => type === 'note');
    slow.pause();
    for (const n of range(91, 95)) await service.notifications.publish('news', { type: 'note', n });
    slow.resume();
    expect(await slow.next(({ type }) => type === 'recovered')).toMatchObject({ recovered: true, offset: 95 });
    await service.notifications.publish('news', { type: 'note', n: 96 });
    await slow.next(({ n }) => n === 96);
    expect(slow.payloads.filter(({ type }) => type === 'note').map(({ offset }) => offset)).toEqual(range(1, 96));
  });
});

describe('a node that restarts', () => {
  it('sends its clients away with 1012, and they recover on the next one', async () => {
    const folder = await newFolder();
    const environment = { WEBSOCKET_DATA_DIR: folder, WEBSOCKET_DRAIN_TIMEOUT: '0.3', WEBSOCKET_LOG_LEVEL: 'info' };
    let node = await startProcess(environment);
    cleanUps.push(() => node.stop('SIGKILL'));
    const send = async (user: string, n: number): Promise<number> => {
      const body = JSON.stringify({ type: 'note', n });
      const headers = { 'content-type': 'application/json' };
      return (await fetch(`${node.url}/ws/users/${user}/messages`, { method: 'POST', headers, body })).status;
    };
    const users = range(1, 12).map((index) => `user-${index}`);
    const clients = users.map(
      (user) =>
        new FlakyClient({
          url: () => `${node.wsUrl}/ws`,
          channels: { [`user:${user}`]: { user_id: user } },
          pauseMs: () => 20,
        }),
    );
    cleanUps.push(() => Promise.all(clients.map((client) => client.stop())));
    await Promise.all(clients.map((client) => client.ready()));
    for (const user of users) expect(await send(user, 1)).toBe(202);
    await node.stop('SIGTERM');
    node = await startProcess(environment);
    for (const user of users) expect(await send(user, 2)).toBe(202);
    await Promise.all(clients.map((client, index) => client.until(() => client.position(`user:${users[index]!}`).offset === 2)));
    for (const { counts, closes } of clients) {
      expect(counts).toMatchObject({ gaps: 0, repetitions: 0, unrecovered: 0 });
      expect(closes[0]).toBe(1012);
    }
    await node.stop('SIGTERM');
  });

  it('that is killed gives back, on the next one, everything that it had delivered', async () => {
    const environment = { WEBSOCKET_DATA_DIR: await newFolder(), WEBSOCKET_LOG_LEVEL: 'info' };
    const killed = await startProcess(environment);
    cleanUps.push(() => killed.stop('SIGKILL'));
    const client = await TestClient.connect(`${killed.wsUrl}/ws`);
    const { epoch } = await client.request({ action: 'subscribe', user_id: 'ann' });
    const headers = { 'content-type': 'application/json' };
    const send = async (url: string, n: number): Promise<boolean> => {
      const body = JSON.stringify({ type: 'note', n });
      const request = fetch(`${url}/ws/users/ann/messages`, { method: 'POST', headers, body });
      return request.then(
        () => true,
        () => false,
      );
    };
    // They go on until the node is gone, so that the last ones were delivered a moment before.
    const sending = (async () => {
      for (let n = 1; await send(killed.url, n); n += 1) continue;
    })();
    await client.next({ n: 50 });
    await killed.stop('SIGKILL');
    await Promise.all([client.closed(), sending]);
    const delivered = client.received.filter(({ type }) => type === 'note');

    const node = await startProcess(environment);
    cleanUps.push(() => node.stop('SIGKILL'));
    const back = await TestClient.connect(`${node.wsUrl}/ws`);
    back.send({ action: 'subscribe', user_id: 'ann', recover: { epoch, offset: 0 } });
    const { offset: head, ...recovered } = await back.next('recovered');
    expect(recovered).toMatchObject({ recovered: true, epoch });
    const missed = back.received.filter(({ type }) => type === 'note');
    expect(offsetsOf(missed)).toEqual(range(1, head as number));
    expect(missed.slice(0, delivered.length)).toEqual(delivered);
    await send(node.url, 0);
    expect(await back.next({ n: 0 })).toMatchObject({ offset: (head as number) + 1 });
    await back.close();
  });
});
