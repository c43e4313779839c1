/** The rows that docs/scaling.md calculates with: what one of each thing costs the service, on a node and in Redis. */
import { setTimeout as delay } from 'node:timers/promises';
import { broadcasts, cpuUntil, messages, questions, MESSAGE } from '../harness/measures.mjs';
import { interleaved } from '../harness/rounds.mjs';
import { withStands } from '../harness/stand.mjs';
import { summary } from '../harness/statistics.mjs';
import { TwoNodes } from '../harness/two-nodes.mjs';
import { createClient } from 'redis';
import { FEW, SIZES } from './crowds.mjs';

/** What the mixed load consists of. */
const MIXED = { broadcasts: 5, messages: 3200, questions: 800 };

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
  pace: 'slow',
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
      await stand.connect(FEW);
      const measures = { [`memory at ${FEW.toLocaleString('en')}`]: single('MB', (await stand.server.call('memory')) / 1e6) };
      // Not counted: a process that has just started compiles its code.
      for (const [, run] of Object.values(loads)) await interleaved([stand], rounds, run);
      for (const count of quick ? SIZES.slice(0, 2) : SIZES) {
        await stand.connect(count);
        const at = `at ${count.toLocaleString('en')}`;
        loads.delivery = ['µs', broadcasts({ count: Math.ceil(30_000 / count), everyMs: count / 40 })];
        for (const [name, [unit, run]] of Object.entries(loads)) {
          const { total } = await interleaved([stand], rounds, run);
          measures[`${name} ${at}`] = { unit, by: { ours: total[stand.key] } };
        }
      }
      return measures;
    }),
};

const IDLE_MS = 8000;
const MS_PER_SECOND = 1000;

/** What Redis keeps and has done so far, beside what two idle nodes make it do. */
class Accounts {
  #idle = { commands: 0, cpu: 0 };

  constructor(redis) {
    this.redis = redis;
  }

  async #now() {
    return { ...(await this.redis.account()), cpu: this.redis.cpu(), at: performance.now() };
  }

  /** From now on what is idle counts as found here. @returns what one of the two nodes causes in a second */
  async idle() {
    this.#idle = { commands: 0, cpu: 0 };
    const { commands, cpu } = await this.of(1, () => delay(IDLE_MS));
    this.#idle = { commands: commands / IDLE_MS, cpu: cpu / IDLE_MS };
    return { commands: (this.#idle.commands * MS_PER_SECOND) / 2, cpu: (this.#idle.cpu * MS_PER_SECOND) / 2 };
  }

  /** @returns what `work`, done `count` times, adds for each */
  async of(count, work) {
    const before = await this.#now();
    await work();
    await delay(300);
    const after = await this.#now();
    const elapsed = after.at - before.at;
    return {
      bytes: (after.bytes - before.bytes) / count,
      commands: (after.commands - before.commands - elapsed * this.#idle.commands) / count,
      cpu: (after.cpu - before.cpu - elapsed * this.#idle.cpu) / count,
    };
  }
}

const OF_REDIS = { bytes: 'bytes', commands: 'commands', cpu: 'µs' };

/** One account after the other: of users, then of messages to them, then of questions. */
async function accountsOf(stand, { few, many }) {
  const { redis, server } = stand;
  const accounts = new Accounts(redis);
  const added = many - few;
  const load = { count: many, perTick: 64, everyMs: 16 };
  const send = () => server.call('toUsers', { users: stand.users, message: MESSAGE, ...load });
  const each = {};
  each['an idle node, a second'] = await accounts.idle();
  await stand.connect(few);
  const { cpu } = await accounts.of(200, () => server.call('broadcast', { message: MESSAGE, count: 200, everyMs: 20 }));
  each['a broadcast'] = { cpu };
  each['a user, subscribed'] = await accounts.of(added, () => stand.connect(many));
  each['a node and its users, a second'] = await accounts.idle();
  each['a first message to a user'] = await accounts.of(many, send);
  each['a further message'] = await accounts.of(many, send);
  each['a pending question'] = await accounts.of(added, () =>
    server.call('openFor', { users: Array.from({ length: added }, (_, n) => `absent-${n}`) }),
  );
  each['a question, answered'] = await accounts.of(2000, () => questions({ count: 2000, inFlight: 64 })(stand));
  return each;
}

export const scalingOfRedis = {
  name: 'scaling-redis',
  pace: 'slow',
  title: 'What one of each thing costs Redis',
  contestants: ['ours, on Redis'],
  rounds: 1,
  run: ({ keys, quick }) =>
    withStands(
      keys,
      async ([stand]) => {
        const each = await accountsOf(stand, { few: 500, many: quick ? 1000 : 5000 });
        const measures = {};
        for (const [what, figures] of Object.entries(each))
          for (const [part, value] of Object.entries(figures)) measures[`${what}, ${part}`] = single(OF_REDIS[part], value);
        measures['a broadcast, for one more node, cpu'] = single('µs', await fanOut(stand.redis));
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
