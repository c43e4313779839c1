/** Users whose connections break all the time: what of the messages to them is lost, doubled or out of order. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Cutter } from '../network/cutter.mjs';
import { BalancedNodes, OneNode, frontEndOf } from '../network/site.mjs';
import { percentile, summary } from '../harness/statistics.mjs';

const CLIENTS = 40;
const MESSAGES = 80;
const EVERY_MS = 500;
/** A connection lives for 15 to 20 s and cannot be renewed for 2 s. */
const ALIVE_MS = { least: 15_000, more: 5000 };
const CUT_MS = 2000;
const SETTLING_MS = 4000;

/** What one user has received. */
class Account {
  seen = new Set();
  wrong = 0;
  newest = { user: 0, all: 0 };

  constructor(times) {
    this.times = times;
  }

  onMessage({ n, to, sent_at: sentAt }) {
    this.times.push(Date.now() - sentAt);
    if (this.seen.has(n) || n < this.newest[to]) this.wrong += 1;
    this.newest[to] = n;
    this.seen.add(n);
  }
}

async function connectAll(site, times) {
  const lanes = [];
  for (let index = 0; index < CLIENTS; index += 1) {
    const cutter = new Cutter(site.port);
    await cutter.listen();
    const account = new Account(times);
    await new Promise((onBack) => {
      const client = frontEndOf(site.key)({
        user: `user-${index}`,
        port: cutter.port,
        onBack,
        onMessage: (message) => account.onMessage(message),
      });
      lanes.push({ cutter, client, account });
    });
  }
  return lanes;
}

/** Cuts a user's connection again and again until `signal` aborts. */
async function cutAgain(cutter, signal) {
  const wait = (ms) => delay(ms, undefined, { signal }).catch(() => undefined);
  await wait(Math.random() * ALIVE_MS.least);
  while (!signal.aborted) {
    cutter.cut();
    await delay(CUT_MS);
    await cutter.listen();
    await wait(ALIVE_MS.least + Math.random() * ALIVE_MS.more);
  }
}

/** Every other message to everybody, and the rest to each user. */
async function sendAll(site) {
  const users = Array.from({ length: CLIENTS }, (_, index) => `user-${index}`);
  for (let n = 1; n <= MESSAGES; n += 1) {
    const next = delay(EVERY_MS);
    if (n * 2 === MESSAGES) void site.halfway();
    const message = { type: 'note', n, sent_at: Date.now() };
    if (n % 2 === 0) await site.server.call('broadcast', { message: { ...message, to: 'all' }, count: 1, everyMs: 0 });
    else
      await site.server.call('toUsers', {
        users,
        message: { ...message, to: 'user' },
        count: CLIENTS,
        perTick: CLIENTS,
        everyMs: 0,
      });
    await next;
  }
}

async function flakyUsers(site) {
  const times = [];
  const lanes = [];
  const over = new AbortController();
  setMaxListeners(CLIENTS, over.signal);
  try {
    await site.start();
    lanes.push(...(await connectAll(site, times)));
    const cutting = lanes.map(({ cutter }) => cutAgain(cutter, over.signal));
    await sendAll(site);
    over.abort();
    await Promise.all(cutting);
    await delay(SETTLING_MS);
    const sum = (pick) => lanes.reduce((total, { account }) => total + pick(account), 0);
    const lost = CLIENTS * MESSAGES - sum(({ seen }) => seen.size);
    return { lost: (100 * lost) / (CLIENTS * MESSAGES), wrong: sum(({ wrong }) => wrong), p99: percentile(times, 0.99) };
  } finally {
    for (const { client, cutter } of lanes) {
      client.stop();
      cutter.cut();
    }
    await site.close();
  }
}

/** All contestants at once: what is measured is no processor time. */
async function all(keys, Site) {
  const figures = await Promise.all(keys.map((key) => flakyUsers(new Site(key))));
  const units = { lost: '%', wrong: 'messages', p99: 'ms' };
  const names = { lost: 'lost', wrong: 'doubled or out of order', p99: 'from sending to receiving, p99' };
  return Object.fromEntries(
    Object.entries(units).map(([figure, unit]) => {
      const by = keys.map((key, index) => [key, summary([figures[index][figure]])]);
      return [names[figure], { unit, by: Object.fromEntries(by) }];
    }),
  );
}

export const flaky = {
  name: 'flaky',
  pace: 'long',
  title: `${MESSAGES} messages to ${CLIENTS} users who are cut off every 15 to 20 s`,
  contestants: ['ours', 'Socket.IO', 'Socket.IO, recovery'],
  rounds: 1,
  run: ({ keys }) => all(keys, OneNode),
};

export const flakyNodes = {
  name: 'flaky-nodes',
  pace: 'long',
  title: `The same on two nodes, one of which is killed and started again`,
  contestants: ['ours, on Redis', 'Socket.IO, streams'],
  rounds: 1,
  run: ({ keys }) => all(keys, BalancedNodes),
};
