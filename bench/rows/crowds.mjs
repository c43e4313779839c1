/** The rows in which the number of connections is what matters. */
import { setTimeout as delay } from 'node:timers/promises';
import { broadcasts } from '../harness/measures.mjs';
import { interleaved } from '../harness/rounds.mjs';
import { withStands } from '../harness/stand.mjs';
import { summary } from '../harness/statistics.mjs';

/** With this number of connections a process has compiled its code and filled its pools. */
export const FEW = 1000;
export const SIZES = [5000, 10_000, 19_000];
const named = (count) => count.toLocaleString('en');

async function connectAll(stands, count) {
  for (const stand of stands) await stand.connect(count);
}

/** Against the process with few connections. */
export const memory = {
  name: 'memory',
  pace: 'slow',
  title: 'Memory of a connection, after a collection',
  contestants: ['ours, idle', 'ours, with JWT', 'ws', 'Socket.IO', 'Bun'],
  rounds: 1,
  run: ({ keys, quick }) =>
    withStands(keys, async (stands) => {
      const measures = {};
      await connectAll(stands, FEW);
      const few = new Map();
      for (const stand of stands) few.set(stand, await stand.server.call('memory'));
      for (const count of quick ? SIZES.slice(0, 1) : SIZES) {
        await connectAll(stands, count);
        const each = {};
        for (const stand of stands)
          each[stand.key] = summary([((await stand.server.call('memory')) - few.get(stand)) / (count - FEW) / 1024]);
        const { 'ours, idle': idle, 'ours, with JWT': subscribed, ...peers } = each;
        measures[`idle, at ${named(count)}`] = { unit: 'KB', by: { ours: idle, ...peers } };
        measures[`a user, at ${named(count)}`] = { unit: 'KB', by: { ours: subscribed, ...peers } };
      }
      return measures;
    }),
};

export const crowd = {
  name: 'crowd',
  pace: 'slow',
  title: 'A broadcast to many connections, one delivery',
  contestants: ['ours', 'ws', 'Bun'],
  rounds: 3,
  run: ({ keys, rounds, quick }) =>
    withStands(keys, async (stands) => {
      const measures = {};
      for (const count of quick ? [1000, 5000] : [1000, 10_000, 19_000]) {
        await connectAll(stands, count);
        const figures = await interleaved(stands, rounds, broadcasts({ count: Math.ceil(20_000 / count), everyMs: count / 40 }));
        for (const [figure, by] of Object.entries(figures)) measures[`to ${named(count)}, ${figure}`] = { unit: 'µs', by };
      }
      return measures;
    }),
};

/** Half a minute: everybody is pinged once by the service, and by Socket.IO every 25 s. */
export const idle = {
  name: 'idle',
  pace: 'slow',
  title: 'Idle connections with their pings',
  contestants: ['ours, with JWT', 'Socket.IO'],
  rounds: 1,
  run: ({ keys, quick }) =>
    withStands(keys, async (stands) => {
      const count = quick ? 2000 : 10_000;
      const seconds = 30;
      await connectAll(stands, count);
      for (const stand of stands) await stand.clients.call('reset', { everyMs: 4 });
      await delay(2000);
      const before = await Promise.all(stands.map((stand) => stand.cpu()));
      await delay(seconds * 1000);
      const by = {};
      for (const [index, stand] of stands.entries()) {
        const spent = (await stand.cpu()).total - before[index].total;
        by[stand.key] = summary([(spent / 1000 / seconds) * (10_000 / count)]);
      }
      return { 'CPU per 10,000 connections': { unit: 'ms/s', by } };
    }),
};
