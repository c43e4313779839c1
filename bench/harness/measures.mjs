/** Measurers: each takes a stand with connections, runs a load once, and returns named figures. */
import { setTimeout as delay } from 'node:timers/promises';

/** A few hundred bytes, as an application's messages have. */
export const MESSAGE = { type: 'note', task: 'import-2026-11', text: 'x'.repeat(150) };
/** Clients read so often while a sender's cost is measured. */
const READ_EVERY_MS = 4;
const SETTLING_MS = 100;

/** @returns what `work` cost for each of `count` things, in microseconds, by part, until all of them have arrived */
export async function cpuUntil(stand, { kind, count }, work) {
  await stand.clients.call('reset', { everyMs: READ_EVERY_MS });
  await delay(SETTLING_MS);
  const before = await stand.cpu();
  const arrived = stand.clients.call('arrived', { kind, count });
  await Promise.all([arrived, work()]);
  const after = await stand.cpu();
  return Object.fromEntries(Object.entries(after).map(([part, spent]) => [part, (spent - before[part]) / count]));
}

/** What one delivery of a broadcast costs. */
export const broadcasts = (load) => (stand) =>
  cpuUntil(stand, { kind: 'note', count: load.count * stand.connections }, () =>
    stand.server.call('broadcast', { message: MESSAGE, ...load }),
  );

/** What one message to one user costs. */
export const messages = (load) => (stand) =>
  cpuUntil(stand, { kind: 'note', count: load.count }, () =>
    stand.server.call('toUsers', { users: scattered(stand.users), message: MESSAGE, ...load }),
  );

/** What one question with its answer costs. */
export const questions = (load, users) => (stand) =>
  cpuUntil(stand, { kind: 'asked', count: load.count }, () =>
    stand.server.call('ask', { users: scattered(stand.users).slice(0, users), ...load }),
  );

/** What a connection costs until it is ready, for `count` that come at once and are gone in the end. */
export const accepts =
  ({ count }) =>
  async (stand) => {
    const before = await stand.cpu();
    await stand.connect(count);
    const after = await stand.cpu();
    await stand.drop();
    await delay(SETTLING_MS);
    return { user: (after.user - before.user) / count, total: (after.total - before.total) / count };
  };

/** What one ping with its pong costs. */
export const pings = (load) => (stand) =>
  cpuUntil(stand, { kind: 'pong', count: load.count }, () => stand.clients.call('pings', load));

/** How long a question waits for its answer, which the client gives at once, in milliseconds. */
export const answers = (load) => async (stand) => {
  await stand.clients.call('reset', { everyMs: 0 });
  return { times: await stand.server.call('ask', { users: scattered(stand.users), ...load }) };
};

/** The same while a broadcast is always under way: the next begins when every client has the last. */
export const answersDuringBroadcasts = (load) => async (stand) => {
  await stand.clients.call('reset', { everyMs: 0 });
  let going = true;
  const broadcasting = (async () => {
    for (let sent = 1; going; sent += 1) {
      const arrived = stand.clients.call('arrived', { kind: 'note', count: sent * stand.connections });
      await stand.server.call('broadcast', { message: MESSAGE, count: 1, everyMs: 0 });
      await arrived;
    }
  })();
  const times = await stand.server.call('askPaced', { users: scattered(stand.users), ...load });
  going = false;
  await broadcasting;
  return { times };
};

/** In an order that no contestant can foresee, and the same for all. */
function scattered(users) {
  const step = 7919;
  return users.map((_, n) => users[(n * step) % users.length]);
}
