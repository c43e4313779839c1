/**
 * The service beside Socket.IO 4, in one run on one machine; prints a Markdown table.
 *
 *   npm run bench                  short, a few minutes
 *   npm run bench -- --full        as many clients and messages as the README's figures
 *   npm run bench -- --only=storm  flaky, flaky-nodes, storm, broadcast or nodes
 */
import { performance } from 'node:perf_hooks';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Ours, SocketIo } from './contestants.mjs';
import { Cutter } from './cutter.mjs';
import { pairs } from './flaky-nodes.mjs';
import { nodes } from './nodes.mjs';

const args = process.argv.slice(2);
const full = args.includes('--full');
const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
const FLAKY = full ? { clients: 200, messages: 120 } : { clients: 40, messages: 80 };
const STORM = full ? 8000 : 1000;
const BROADCAST = { connections: 1000, messages: full ? 500 : 200 };
const rows = [];

const percentile = (values, share) => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
};
const row = (what, name, ...values) => {
  rows.push([what, name, ...values]);
  process.stderr.write(`${what}: ${name}: ${values.join(', ')}\n`);
};

/** Users whose connections are cut every 15 to 20 s for 2 s, and come back after 100 to 300 ms. */
async function flaky(contestant, { clients, messages }) {
  await contestant.start();
  const got = [];
  const lanes = [];
  let going = true;
  try {
    for (let index = 0; index < clients; index += 1) {
      const cutter = new Cutter(contestant.port);
      await cutter.listen();
      const seen = new Set();
      const account = { seen, order: 0, twice: 0, newest: { user: 0, all: 0 } };
      await new Promise((onBack) => {
        const client = contestant.client({
          user: `user-${index}`,
          port: cutter.port,
          pauseMs: () => 100 + Math.random() * 200,
          delayMs: 200,
          jitter: 0.5,
          onBack,
          onMessage: ({ n, to, sent_at }) => {
            got.push(Date.now() - sent_at);
            if (seen.has(n)) account.twice += 1;
            if (n < account.newest[to]) account.order += 1;
            account.newest[to] = n;
            seen.add(n);
          },
        });
        lanes.push({ cutter, client, account });
      });
    }
    const cutting = lanes.map(async ({ cutter }) => {
      await delay(Math.random() * 15_000);
      while (going) {
        cutter.cut();
        await delay(2000);
        await cutter.listen();
        const until = performance.now() + 15_000 + Math.random() * 5000;
        while (going && performance.now() < until) await delay(100);
      }
    });
    for (let n = 1; n <= messages; n += 1) {
      const next = delay(500);
      if (n * 2 === messages) void contestant.halfway?.();
      const message = { type: 'note', n, sent_at: Date.now() };
      if (n % 2 === 0) await contestant.broadcast({ ...message, to: 'all' });
      else await Promise.all(lanes.map((_, index) => contestant.toUser(`user-${index}`, { ...message, to: 'user' })));
      await next;
    }
    going = false;
    await Promise.all(cutting);
    await delay(3000);
    const sum = (pick) => lanes.reduce((total, { account }) => total + pick(account), 0);
    const expected = clients * messages;
    const lost = expected - sum(({ seen }) => seen.size);
    const share = `${lost} of ${expected} (${((100 * lost) / expected).toFixed(1)} %)`;
    const times = `p50 ${percentile(got, 0.5)} ms, p99 ${percentile(got, 0.99)} ms`;
    const wrong = `${sum(({ twice }) => twice)} twice, ${sum(({ order }) => order)} out of order`;
    row(`${clients} flaky clients, ${messages} messages: lost`, contestant.name, share, wrong, times);
  } finally {
    for (const { client, cutter } of lanes) {
      client.stop();
      cutter.cut();
    }
    await contestant.close();
  }
}

/** The machine's other work moves single storms by a third: the contestants take turns, and the median counts. */
async function storms(count, rounds) {
  const results = new Map();
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants().slice(0, 2)) {
      const result = await storm(contestant, count);
      results.set(contestant.name, [...(results.get(contestant.name) ?? []), result]);
      process.stderr.write(`storm ${round + 1} of ${rounds}: ${contestant.name}: p95 ${Math.round(result.p95)} ms\n`);
    }
  }
  for (const [name, own] of results) {
    const median = (of) => percentile(own.map(of), 0.5);
    const p95s = own.map(({ p95 }) => Math.round(p95)).toSorted((a, b) => a - b);
    row(
      `${count} clients come back after kill -9, ${rounds} times`,
      name,
      `p95 ${Math.round(median(({ p95 }) => p95))} ms (${p95s[0]} to ${p95s.at(-1)})`,
      `all after ${Math.round(median(({ last }) => last))} ms`,
      `server's CPU ${median(({ cpu }) => cpu).toFixed(2)} s`,
    );
  }
}

/** All clients come back after a kill -9; the time counts from the moment the server listens again. */
async function storm(contestant, count) {
  await contestant.start();
  const clients = [];
  let onBack = () => undefined;
  const all = () =>
    new Promise((resolve, reject) => {
      const back = new Set();
      const timer = delay(90_000, undefined, { ref: false }).then(() => reject(new Error(`${back.size} of ${count} came back`)));
      void timer.catch(() => undefined);
      onBack = (index) => back.add(index).size === count && resolve();
    });
  try {
    const connected = all();
    for (let index = 0; index < count; index += 1) {
      await contestant.ask(`user-${index}`);
      clients.push(
        contestant.client({
          user: `user-${index}`,
          port: contestant.port,
          pauseMs: () => 500 + Math.random() * 1000,
          delayMs: 1000,
          jitter: 0.5,
          prompts: 1,
          onBack: () => onBack(index),
        }),
      );
      if (index % 50 === 49) await delay(20);
    }
    await connected;
    await contestant.kill();
    const times = [];
    const back = all();
    const counted = onBack;
    const returned = new Set();
    let listening = 0;
    onBack = (index) => {
      if (!returned.has(index)) times.push(performance.now() - listening);
      returned.add(index);
      counted(index);
    };
    // Long enough for every client to be waiting for its next attempt.
    await delay(1500);
    listening = await contestant.start();
    await back;
    const cpu = (await contestant.cpu()) / 1e6;
    return { p95: percentile(times, 0.95), last: Math.max(...times), cpu };
  } finally {
    for (const client of clients) client.stop();
    await contestant.close();
  }
}

/** What one delivery of a broadcast costs the server. */
async function broadcast(contestant, { connections, messages }) {
  await contestant.start();
  const clients = [];
  let received = 0;
  let finish = () => undefined;
  try {
    for (let index = 0; index < connections; index += 1) {
      await new Promise((onBack) => {
        const onMessage = () => (received += 1) % connections === 0 && finish();
        const pauseMs = () => 1000;
        clients.push(
          contestant.client({
            user: `user-${index}`,
            port: contestant.port,
            pauseMs,
            onMessage,
            onBack,
            delayMs: 1000,
            jitter: 0,
          }),
        );
      });
    }
    const send = async (n) => {
      const all = new Promise((resolve) => (finish = resolve));
      await contestant.broadcast({ type: 'note', n, text: 'x'.repeat(200) });
      await all;
    };
    for (let n = 0; n < 50; n += 1) await send(n);
    const before = await contestant.cpu();
    const started = performance.now();
    for (let n = 0; n < messages; n += 1) await send(n);
    const cpu = ((await contestant.cpu()) - before) / (messages * connections);
    const wall = performance.now() - started;
    row(
      `broadcast to ${connections} connections: CPU of one delivery`,
      contestant.name,
      `${cpu.toFixed(2)} µs`,
      `${Math.round((1000 * messages * connections) / wall)} deliveries/s, one at a time`,
      '',
    );
  } finally {
    for (const client of clients) client.stop();
    await contestant.close();
  }
}

const wanted = (name) => only === undefined || only === name;
const contestants = () => [new Ours(), new SocketIo(false), new SocketIo(true)];
if (wanted('broadcast')) for (const contestant of contestants()) await broadcast(contestant, BROADCAST);
if (wanted('storm')) await storms(STORM, full ? 5 : 1);
const redis = wanted('nodes') ? `, ${await nodes(row, { full })}` : '';
if (wanted('flaky')) await Promise.all(contestants().map((contestant) => flaky(contestant, FLAKY)));
if (wanted('flaky-nodes')) await Promise.all(pairs().map((contestant) => flaky(contestant, FLAKY)));

const versionOf = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
const [cpu] = cpus();
console.log(`
${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}, Node ${process.version}
ours ${versionOf('../package.json')}, Socket.IO ${versionOf('node_modules/socket.io/package.json')}${redis}; \`npm run bench${args.length ? ` -- ${args.join(' ')}` : ''}\`

| what | contestant | result | | |
|---|---|---|---|---|
${rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`);
process.exit(0);
