/** Everybody comes back after `kill -9`. The time counts from the moment at which the server listens again. */
import { setTimeout as delay } from 'node:timers/promises';
import { percentile, summary } from '../harness/statistics.mjs';
import { OneNode, frontEndOf } from '../network/site.mjs';

const PATIENCE_MS = 90_000;
/** Long enough for every client to be waiting for its next attempt. */
const DEAD_FOR_MS = 1500;

/** Counts who is back. */
class Roll {
  #back = new Map();

  constructor(count) {
    this.count = count;
    this.complete = new Promise((resolve) => (this.resolve = resolve));
  }

  onBack(index) {
    if (this.#back.has(index)) return;
    this.#back.set(index, performance.now());
    if (this.#back.size === this.count) this.resolve();
  }

  /** @returns when each was back, in milliseconds after a moment */
  async after(moment) {
    const late = delay(PATIENCE_MS, 'late', { ref: false });
    if ((await Promise.race([this.complete, late])) === 'late') throw new Error(`${this.#back.size} of ${this.count} are back`);
    return [...this.#back.values()].map((at) => at - moment());
  }
}

async function storm(key, count) {
  const site = await new OneNode(key).start();
  const clients = [];
  let roll = new Roll(count);
  try {
    const prompts = key === 'ours' ? 1 : 0;
    if (prompts > 0) await site.server.call('openFor', { users: Array.from({ length: count }, (_, n) => `user-${n}`) });
    for (let index = 0; index < count; index += 1) {
      const onBack = () => roll.onBack(index);
      clients.push(frontEndOf(key)({ user: `user-${index}`, port: site.port, prompts, onBack }));
      if (index % 50 === 49) await delay(20);
    }
    await roll.after(() => 0);
    await site.server.kill();
    roll = new Roll(count);
    await delay(DEAD_FOR_MS);
    await site.server.start();
    const listening = performance.now();
    const times = await roll.after(() => listening);
    return { p95: percentile(times, 0.95), cpu: (await site.server.cpu()).total / 1e6 };
  } finally {
    for (const client of clients) client.stop();
    await site.close();
  }
}

/** @returns the row for a number of clients, with one storm after the other */
const stormOf = (name, count, rounds, pace) => ({
  name,
  pace,
  title: `${count.toLocaleString('en')} users with one pending question each come back after kill -9`,
  contestants: ['ours', 'Socket.IO'],
  rounds,
  async run({ keys, rounds }) {
    const by = new Map(keys.map((key) => [key, []]));
    for (let round = 0; round < rounds; round += 1)
      for (const key of round % 2 === 0 ? keys : keys.toReversed()) by.get(key).push(await storm(key, count));
    const each = (pick) => Object.fromEntries([...by].map(([key, storms]) => [key, summary(storms.map(pick))]));
    return {
      'back, p95': { unit: 'ms', by: each(({ p95 }) => p95) },
      'the server’s CPU': { unit: 's', by: each(({ cpu }) => cpu) },
    };
  },
});

export const smallStorm = stormOf('storm', 2000, 3, 'slow');
export const largeStorm = stormOf('storm-8000', 8000, 5, 'long');
