/** Users of the client library on bad networks, a publisher that knows what it has published, and the account of what arrived. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LibraryUser } from './library-user.js';
import { TcpProxy } from './tcp-proxy.js';

export interface FlakyPlan {
  /** The service's port at the moment. */
  port: () => number;
  /** Where the back-end publishes. @default port */
  publishPort?: () => number;
  clients: number;
  messages: number;
  everyMs: number;
  /** Each client's connection breaks again and again after so long, at random between the two … */
  cutAfterMs: readonly [number, number];
  /** … and for so long nothing gets through. Half of the cuts are resets, half are silent at first. */
  cutForMs: number;
}

export interface FlakyResult {
  published: number;
  expected: number;
  lost: number;
  /** Numbers that a listener got twice. */
  duplicates: number;
  outOfOrder: number;
  /** Gaps that the library reported to the application. */
  gaps: number;
  errors: number;
  connects: number;
  p50: number;
  p99: number;
  max: number;
}

export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
};

interface Lane {
  user: LibraryUser;
  proxy: TcpProxy;
}

/**
 * Publishes by REST to every user and to all, alternately, while the users' connections break.
 * A publication that was not answered is repeated with the same number: it may then stand in history twice.
 */
export async function runFlaky(plan: FlakyPlan, during: Promise<unknown> = Promise.resolve()): Promise<FlakyResult> {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const lanes: Lane[] = [];
  for (let index = 0; index < plan.clients; index += 1) {
    const proxy = await TcpProxy.start({ port: plan.port(), seed: index + 1 });
    lanes.push({ user: new LibraryUser(`user-${index}`, `ws://127.0.0.1:${proxy.port}/ws`), proxy });
  }
  try {
    await Promise.all(lanes.map(({ user }) => user.ready()));
    const breaking = lanes.map((lane) => breakAgainAndAgain(lane, plan, stopping.signal));
    for (let n = 1; n <= plan.messages; n += 1) {
      const next = delay(plan.everyMs);
      const message = { type: 'note', n, sent_at: Date.now() };
      if (n % 2 === 0) await post(plan, '/ws/broadcast', message);
      else await Promise.all(lanes.map(({ user }) => post(plan, `/ws/users/${user.id}/messages`, message)));
      await next;
    }
    await during;
    stopping.abort();
    await Promise.all(breaking);
    await Promise.all(lanes.map(({ proxy }) => proxy.resume()));
    await Promise.race([Promise.all(lanes.map(({ user }) => user.until(() => hasAll(user, plan.messages)))), delay(20_000)]);
    return account(lanes, plan.messages);
  } finally {
    stopping.abort();
    for (const { user } of lanes) user.stop();
    await Promise.all(lanes.map(({ proxy }) => proxy.close()));
  }
}

/** Repeats a request until the server that listens on the port has answered. */
async function post({ port, publishPort = port }: FlakyPlan, path: string, body: object): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${publishPort()}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await response.arrayBuffer();
      if (response.status === 202) return;
    } catch {
      // It is away.
    }
    await delay(50);
  }
}

async function breakAgainAndAgain({ proxy }: Lane, plan: FlakyPlan, signal: AbortSignal): Promise<void> {
  const [shortest, longest] = plan.cutAfterMs;
  const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal }).catch(() => undefined);
  // The first at any moment, so that the cuts of all do not fall together.
  let after = Math.random() * longest;
  while (!signal.aborted) {
    await pause(after);
    if (signal.aborted) break;
    if (Math.random() < 0.5) {
      proxy.blackHole();
      await pause(plan.cutForMs / 2);
    }
    proxy.cut();
    await proxy.refuse();
    await pause(plan.cutForMs / 2);
    await proxy.resume();
    after = shortest + Math.random() * (longest - shortest);
  }
}

const hasAll = ({ received }: LibraryUser, messages: number): boolean =>
  Object.values(received).reduce((sum, all) => sum + new Set(all.map(({ n }) => n)).size, 0) >= messages;

function account(lanes: readonly Lane[], messages: number): FlakyResult {
  const latencies: number[] = [];
  const total = { lost: 0, duplicates: 0, outOfOrder: 0, gaps: 0, errors: 0, connects: 0 };
  for (const { user } of lanes) {
    for (const [channel, all] of Object.entries(user.received)) {
      const numbers = all.map(({ n }) => n);
      const distinct = new Set(numbers).size;
      total.duplicates += numbers.length - distinct;
      total.outOfOrder += numbers.filter((n, index) => n < (numbers[index - 1] ?? 0)).length;
      total.lost += (channel === 'broadcast' ? Math.floor(messages / 2) : Math.ceil(messages / 2)) - distinct;
      latencies.push(...all.map(({ at, sentAt }) => at - sentAt));
    }
    total.gaps += user.counts.gaps;
    total.errors += user.errors.length;
    total.connects += user.counts.connects;
  }
  return {
    published: messages,
    expected: messages * lanes.length,
    ...total,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: latencies.reduce((most, one) => Math.max(most, one), 0),
  };
}
