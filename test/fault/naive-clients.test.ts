/**
 * Whatever position a client stores last is safe: clients that store the last position of any frame lose nothing and
 * learn of every gap, wherever their connections break. Two busy loops run beside them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startBusyLoops } from '../support/busy-loops.js';
import { JWT_SETTINGS, tokenOf } from '../support/jwt.js';
import { NaiveClient } from '../support/naive-client.js';
import { RedisServer } from '../support/redis.js';
import { startService, type TestService } from '../support/service.js';
import { Random } from '../support/random.js';
import { requireBinary } from '../support/system.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const CLIENTS = Number(process.env['NAIVE_CLIENTS'] ?? 50);
const SECONDS = Number(process.env['NAIVE_SECONDS'] ?? 12);
const SEED = Number(process.env['NAIVE_SEED'] ?? Math.floor(Math.random() * 1e9));
const SETTLE_MS = 60_000;
const NEWS = 'news';
const describeWithRedis = requireBinary('redis-server');

/** Publishes the next message of a channel; messages are numbered like their offsets. */
class Publisher {
  readonly published = new Map<string, number>();

  constructor(
    private readonly nodes: readonly TestService[],
    private readonly random: () => number,
  ) {}

  async publish(channel: string): Promise<void> {
    const n = (this.published.get(channel) ?? 0) + 1;
    this.published.set(channel, n);
    const { notifications } = this.nodes[Math.floor(this.random() * this.nodes.length)]!;
    const message = { type: 'note', on: channel, n };
    if (channel === 'broadcast') await notifications.broadcastMessage(message);
    else await notifications.publish(channel, message);
  }
}

interface Plan {
  /** Where clients connect. */
  nodes: readonly TestService[];
  /** Where messages are published. @default nodes */
  publishers?: readonly TestService[];
  secure: boolean;
  cutAfterMs?: readonly [number, number];
  /** Done beside it, until the signal aborts. */
  during?: (random: () => number, signal: AbortSignal) => Promise<void>;
}

async function run(plan: Plan): Promise<Record<string, number>> {
  const { nodes, secure, publishers = nodes, cutAfterMs = [50, 300], during } = plan;
  console.log(`naive clients: NAIVE_SEED=${SEED}`);
  const seeded = new Random(SEED);
  const random = (): number => seeded.next();
  const stopLoops = startBusyLoops(2, SECONDS * 1000 + SETTLE_MS);
  const clients: NaiveClient[] = [];
  const channels = new Set(['broadcast', NEWS]);
  const publisher = new Publisher(publishers, random);
  const ending = new AbortController();
  const beside = during?.(random, ending.signal);
  try {
    for (let index = 0; index < CLIENTS; index += 1) {
      const user = `user-${index}`;
      const own = ['broadcast', NEWS, `user:${user}`, `task:task-${index}`];
      for (const channel of own) channels.add(channel);
      // The task becomes the user's.
      const { confirmation } = await publishers[0]!.notifications.openConfirmation({
        stepResult: { message: 'Go on?' },
        userId: user,
        taskId: `task-${index}`,
        step: 1,
      });
      await publishers[0]!.notifications.withdraw(confirmation.callbackId);
      const token = secure ? await tokenOf(user, { lives: 3600 }) : undefined;
      clients.push(
        new NaiveClient({
          url: () => `${nodes[Math.floor(random() * nodes.length)]!.wsUrl}/ws`,
          channels: own,
          random,
          cutAfterMs,
          ...(token !== undefined && { handshake: { headers: { authorization: `Bearer ${token}` } } }),
        }),
      );
    }
    const all = [...channels];
    const until = Date.now() + SECONDS * 1000;
    // Shared channels carry half of all messages.
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      const own = all.filter((__, index) => index % 4 === lane);
      const shared = own.filter((channel) => channel === 'broadcast' || channel === NEWS);
      while (Date.now() < until) {
        await publisher.publish(own[Math.floor(random() * own.length)]!);
        for (const channel of shared) await publisher.publish(channel);
        await delay(random() * 8);
      }
    });
    await Promise.all(lanes);
    ending.abort();
    await beside;
    for (const client of clients) client.settle();
    await stopLoops();
    for (const channel of all) await publisher.publish(channel);
    const missing = (client: NaiveClient): number =>
      [...client.accounts.keys()].reduce(
        (sum, channel) => sum + client.missing(channel, publisher.published.get(channel) ?? 0).length,
        0,
      );
    const complete = Promise.all(clients.map((client) => client.until(() => missing(client) === 0)));
    await Promise.race([complete, delay(SETTLE_MS / 2, undefined, { ref: false })]);
    const result: Record<string, number> = {
      published: [...publisher.published.values()].reduce((sum, count) => sum + count, 0),
      lost: clients.reduce((sum, client) => sum + missing(client), 0),
    };
    for (const { counts } of clients)
      for (const [name, count] of Object.entries(counts)) result[name] = (result[name] ?? 0) + count;
    return result;
  } finally {
    ending.abort();
    await beside;
    await stopLoops();
    await Promise.all(clients.map((client) => client.stop()));
  }
}

const EXPECTED = { lost: 0, silentGaps: 0, outOfOrder: 0, repeated: 0, unexplained: 0 };
const MODES = [
  { mode: 'open', secure: false },
  { mode: 'secure', secure: true },
];
const settings = (secure: boolean, environment: Record<string, string> = {}): Parameters<typeof startService>[0] => ({
  environment: {
    WEBSOCKET_HISTORY_SIZE: '100000',
    WEBSOCKET_RATE_LIMIT: '100000',
    ...(secure && {
      ...JWT_SETTINGS,
      WEBSOCKET_API_KEYS: 'a-key-of-at-least-16-bytes',
    }),
    ...environment,
  },
  options: { accessPolicy: { maySubscribe: async (_user, channel) => channel === NEWS } },
});

describe.each(MODES)('naive clients in $mode mode', ({ mode, secure }) => {
  const title = 'lose nothing and learn of every gap, wherever their connections break';
  const patience = 200_000 + SECONDS * 1000;

  async function check(what: string, plan: Omit<Plan, 'secure'>): Promise<Record<string, number>> {
    const result = await run({ ...plan, secure });
    console.log(`${what}, ${mode} mode: ${JSON.stringify(result)}`);
    expect(result).toMatchObject(EXPECTED);
    expect(result['cuts']).toBeGreaterThan(CLIENTS);
    return result;
  }

  it(
    `on one node ${title}`,
    async () => {
      const node = await startService(settings(secure));
      try {
        expect(await check('one node', { nodes: [node] })).toMatchObject({ unrecovered: 0 });
      } finally {
        await node.stop();
      }
    },
    patience,
  );

  describeWithRedis('on three nodes', () => {
    it(
      title,
      async () => {
        const redis = await RedisServer.start();
        const environment = { WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: redis.url };
        const nodes = await Promise.all([0, 1, 2].map(() => startService(settings(secure, environment))));
        try {
          expect(await check('three nodes', { nodes })).toMatchObject({ unrecovered: 0 });
        } finally {
          await Promise.all(nodes.map((node) => node.stop()));
          await redis.stop();
        }
      },
      patience,
    );

    it(
      `whose ways to Redis break as well, and whose history is short, ${title}`,
      async () => {
        const redis = await RedisServer.start();
        const proxies = await Promise.all([1, 2, 3].map((seed) => TcpProxy.start({ port: redis.port, seed })));
        const start = (port: number): Promise<TestService> =>
          startService(
            settings(secure, {
              WEBSOCKET_ENGINE: 'redis',
              WEBSOCKET_REDIS_URL: `redis://127.0.0.1:${port}`,
              WEBSOCKET_HISTORY_SIZE: '40',
            }),
          );
        const nodes = await Promise.all(proxies.map(({ port }) => start(port)));
        const publisher = await start(redis.port);
        const during: Plan['during'] = async (random, signal) => {
          const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined);
          while (!signal.aborted) {
            await pause(200 + random() * 800);
            const proxy = proxies[Math.floor(random() * proxies.length)]!;
            proxy.cut();
            await proxy.refuse();
            await pause(random() * 600);
            await proxy.resume();
          }
        };
        try {
          await check('three nodes cut from Redis', { nodes, publishers: [publisher], cutAfterMs: [200, 3000], during });
        } finally {
          await Promise.all([publisher, ...nodes].map((node) => node.stop()));
          await Promise.all(proxies.map((proxy) => proxy.close()));
          await redis.stop();
        }
      },
      patience,
    );
  });
});
