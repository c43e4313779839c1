/** The rows that docs/scaling.md calculates with: what one of each thing costs the service, on a node and in Redis. */
import { setTimeout as delay } from 'node:timers/promises';
import { broadcasts, cpuUntil, messages, questions, MESSAGE } from '../harness/measures.mjs';
import { interleaved } from '../harness/rounds.mjs';
import { withStands } from '../harness/stand.mjs';
import { summary } from '../harness/statistics.mjs';
import { TwoNodes } from '../harness/two-nodes.mjs';
import { createClient } from 'redis';
import { SIZES } from './crowds.mjs';

/** What the mixed load consists of. */
export const MIXED = { broadcasts: 5, messages: 3200, questions: 800 };

const single = (unit, value) => ({ unit, by: { ours: summary([value]) } });

/** All three loads at once. @returns what they cost together, in seconds of processor time */
async function mixed(stand) {
  const { users, connections, server } = stand;
  const notes = MIXED.broadcasts * connections + MIXED.messages;
  const { total } = await cpuUntil(stand, { kind: 'note', count: notes }, () =>
    Promise.all([
      server.call('broadcast', { message: MESSAGE, count: MIXED.broadcasts, everyMs: connections / 40 }),
      server.call('toUsers', { users, message: MESSAGE, count: MIXED.messages, perTick: 64, everyMs: 16 }),
      server.call('ask', { users: users.toReversed(), count: MIXED.questions, inFlight: 16 }),
    ]),
  );
  return { total: (total * notes) / 1e6 };
}

export const scaling = {
  name: 'scaling',
  title: 'What one of each thing costs a node',
  contestants: ['ours, with JWT'],
  rounds: 3,
  run: ({ keys, rounds, quick }) =>
    withStands(keys, async ([stand]) => {
      const loads = {
        message: ['µs', messages({ count: 3200, perTick: 64, everyMs: 16 })],
        question: ['µs', questions({ count: 1000, inFlight: 64 })],
        mixed: ['s', mixed],
      };
      const measures = { 'memory at 0': single('MB', (await stand.server.call('memory')) / 1e6) };
      for (const count of quick ? SIZES.slice(0, 2) : SIZES) {
        await stand.connect(count);
        const at = `at ${count.toLocaleString('en')}`;
        measures[`memory ${at}`] = single('MB', (await stand.server.call('memory')) / 1e6);
        loads.delivery = ['µs', broadcasts({ count: Math.ceil(30_000 / count), everyMs: count / 40 })];
        for (const [name, [unit, run]] of Object.entries(loads)) {
          const { total } = await interleaved([stand], rounds, run);
          measures[`${name} ${at}`] = { unit, by: { ours: total[stand.key] } };
        }
      }
      return measures;
    }),
};

/** @returns what `work`, done `count` times, adds to Redis for each */
async function added(redis, count, work) {
  const before = await redis.account();
  const spent = redis.cpu();
  await work();
  await delay(300);
  const cpu = (redis.cpu() - spent) / count;
  const after = await redis.account();
  return { bytes: (after.bytes - before.bytes) / count, commands: (after.commands - before.commands) / count, cpu };
}

const OF_REDIS = { bytes: 'bytes', commands: 'commands', cpu: 'µs' };

export const scalingOfRedis = {
  name: 'scaling-redis',
  title: 'What one of each thing costs Redis',
  contestants: ['ours, on Redis'],
  rounds: 1,
  run: ({ keys }) =>
    withStands(
      keys,
      async ([stand]) => {
        const { redis, server } = stand;
        await stand.connect(1000);
        const load = { count: 4000, perTick: 64, everyMs: 16 };
        const each = {
          'a user, subscribed': await added(redis, 4000, () => stand.connect(5000)),
          'a first message to a user': await added(redis, load.count, () =>
            server.call('toUsers', { users: stand.users, message: MESSAGE, ...load }),
          ),
          'a further message': await added(redis, load.count, () =>
            server.call('toUsers', { users: stand.users, message: MESSAGE, ...load }),
          ),
          'a broadcast': await added(redis, 20, () => server.call('broadcast', { message: MESSAGE, count: 20, everyMs: 100 })),
          'a pending question': await added(redis, 4000, () => server.call('open', { count: 4000, from: 0 })),
          'a question, answered': await added(redis, 2000, () => questions({ count: 2000, inFlight: 64 })(stand)),
          'a node, idle, a second': await added(redis, 2 * 10, () => delay(10_000)),
        };
        const measures = {};
        for (const [what, figures] of Object.entries(each))
          for (const [part, unit] of Object.entries(OF_REDIS)) measures[`${what}, ${part}`] = single(unit, figures[part]);
        measures['one more node that a broadcast is published to, cpu'] = single('µs', await fanOut(redis));
        return measures;
      },
      (key) => new TwoNodes(key),
    ),
};

/** @returns what one more subscriber of a channel costs Redis for each message, in microseconds */
async function fanOut(redis) {
  const SUBSCRIBERS = 50;
  const MESSAGES = 2000;
  const publish = async () => {
    const spent = redis.cpu();
    for (let n = 0; n < MESSAGES; n += 1) await redis.client.publish('fan-out', MESSAGE.text);
    return redis.cpu() - spent;
  };
  const alone = await publish();
  const subscribers = [];
  for (let n = 0; n < SUBSCRIBERS; n += 1) {
    const client = await createClient({ url: redis.url }).connect();
    await client.subscribe('fan-out', () => undefined);
    subscribers.push(client);
  }
  const together = await publish();
  for (const client of subscribers) client.destroy();
  return (together - alone) / SUBSCRIBERS / MESSAGES;
}
