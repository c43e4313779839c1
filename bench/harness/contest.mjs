/**
 * What every contestant does with its server, in the server's own process: a load starts by a call, as in an application,
 * and not by a request. Runs in Node and in Bun.
 *
 * A server listens on PORT. It is `{ broadcast(message), toUser(user, message), ask(user, n) }`, each call resolving when it has been
 * accepted; `ask` resolves when the user has answered.
 */
import { getHeapStatistics } from 'node:v8';
import { obey } from './child.mjs';

const now = () => performance.now();

/** Starts `perTick` calls every `everyMs`, however long each takes. @returns when all of them have resolved */
function paced({ count, perTick = 1, everyMs }, call) {
  return new Promise((resolve, reject) => {
    const calls = [];
    const timer = setInterval(() => {
      for (let left = perTick; left > 0 && calls.length < count; left -= 1) {
        const done = Promise.resolve(call(calls.length));
        done.catch(reject);
        calls.push(done);
      }
      if (calls.length < count) return;
      clearInterval(timer);
      Promise.all(calls).then(() => resolve(), reject);
    }, everyMs);
  });
}

/** Keeps `inFlight` calls open until `count` are done. @returns how long each took, in milliseconds */
async function kept({ count, inFlight }, call) {
  const times = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const begun = now();
      await call(next++);
      times.push(now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return times;
}

function resources() {
  const { userCPUTime: user, systemCPUTime: system } = process.resourceUsage();
  return { user, system };
}

/**
 * What is resident after a collection, in bytes, less the room that V8 keeps for objects to come: how much that is depends on
 * what the process did before.
 */
async function memory() {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (process.versions.bun) globalThis.Bun.gc(true);
    else globalThis.gc();
  }
  const { rss } = process.memoryUsage();
  if (process.versions.bun) return rss;
  const { total_physical_size: kept, used_heap_size: used } = getHeapStatistics();
  return rss - (kept - used);
}

export function compete({ broadcast, toUser, ask, ...commands }) {
  const any = (users, n) => users[n % users.length];
  obey({
    resources,
    memory,
    broadcast: ({ message, ...load }) => paced(load, (n) => broadcast({ n, ...message })),
    toUsers: ({ users, message, ...load }) => paced(load, (n) => toUser(any(users, n), { n, ...message })),
    ask: ({ users, ...load }) => kept(load, (n) => ask(any(users, n), n)),
    /** Asks every `everyMs`, however long an answer takes, so that a slow answer does not spare the next one. */
    async askPaced({ users, ...load }) {
      const times = [];
      await paced(load, async (n) => {
        const begun = now();
        await ask(any(users, n), n);
        times.push(now() - begun);
      });
      return times;
    },
    ...commands,
  });
}
