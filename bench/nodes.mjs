/**
 * Three nodes on one Redis: what a message costs the nodes' processors, per delivery counted by the clients, and how long
 * after an answer on one node the caller on another has it. Ours beside Socket.IO with its adapters for Redis, all at once
 * on the machine, measured one after the other in turn, several times; medians.
 *
 * What is compared is not the same: ours stores a message in a history from which a client recovers, and its call resolves
 * with where the message stands and whom it reached; of the others only the streams adapter stores.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { REDIS_ARGS, Trio, redisVersion } from './nodes-contestants.mjs';

/** Some 150 bytes on the wire. */
const MESSAGE = { type: 'note', task: 'import-2024-11', text: 'x'.repeat(80) };
const SETTLING_MS = 300;
const PATIENCE_MS = 5000;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const percentile = (values, share) => values.toSorted((a, b) => a - b)[Math.floor(values.length * share)];

/** Processor time of nodes and Redis for each delivery while `work` runs and until everything has arrived. */
async function measured(trio, deliveries, work) {
  await trio.clients.do('reset');
  await delay(SETTLING_MS);
  const before = await trio.cpu();
  const arrived = trio.clients.do('arrived', { what: 'notes', count: deliveries, withinMs: 60_000 });
  await work();
  const timeout = delay(PATIENCE_MS, 'late');
  if ((await Promise.race([arrived, timeout])) === 'late') throw new Error(`${trio.name}: not everything arrived`);
  const after = await trio.cpu();
  return { nodes: (after.nodes - before.nodes) / deliveries, redis: (after.redis - before.redis) / deliveries };
}

/** @param row takes what, who, and cells of the table */
export async function nodes(row, { full, only = '', rounds = full ? 5 : 3, execArgv = [] }) {
  const SIZES = {
    connections: 1000,
    toUsers: { count: full ? 12_000 : 4000, burst: 10, everyMs: 5 },
    broadcast: { count: full ? 100 : 40, burst: 1, everyMs: 50 },
    asked: { count: 11_500, burst: 25, everyMs: 10 },
    answers: { count: full ? 1000 : 300, everyMs: 5 },
  };
  const trios = [
    new Trio('ours', 'ours'),
    new Trio('pubsub', 'Socket.IO, redis-adapter'),
    new Trio('sharded', 'Socket.IO, redis-adapter (sharded)'),
    new Trio('streams', 'Socket.IO, redis-streams-adapter'),
  ].filter(({ kind }) => only === '' || only.split(',').includes(kind));
  const works = {
    'sendToUser across nodes': (trio) => {
      const users = [...trio.users[1], ...trio.users[2]].toSorted(() => Math.random() - 0.5);
      return measured(trio, SIZES.toUsers.count, () =>
        trio.nodes[0].do('toUsers', { users, message: MESSAGE, ...SIZES.toUsers }),
      );
    },
    [`broadcast to 3 × ${SIZES.connections}`]: (trio) =>
      measured(trio, SIZES.broadcast.count * 3 * SIZES.connections, () =>
        trio.nodes[0].do('broadcast', { message: MESSAGE, ...SIZES.broadcast }),
      ),
  };
  try {
    for (const trio of trios) await trio.start(SIZES.connections, execArgv);
    for (const [what, work] of Object.entries(works)) {
      const costs = new Map(trios.map((trio) => [trio, []]));
      for (const trio of trios) await work(trio);
      for (let round = 0; round < rounds; round += 1) for (const trio of trios) costs.get(trio).push(await work(trio));
      const nodesCost = (trio) => median(costs.get(trio).map((cost) => cost.nodes));
      const [own, ...peers] = trios;
      const best = Math.min(...peers.map(nodesCost));
      for (const trio of trios) {
        const redis = median(costs.get(trio).map((cost) => cost.redis));
        const ratio = nodesCost(own) / nodesCost(trio);
        row(
          `${what}: CPU of one delivery`,
          trio.name,
          `nodes ${nodesCost(trio).toFixed(2)} µs`,
          `Redis ${redis.toFixed(2)} µs`,
          trio === own ? `${(nodesCost(own) / best).toFixed(2)} of the best other` : `ours: ${ratio.toFixed(2)} of it`,
        );
      }
    }
    await answers(row, trios, rounds, SIZES);
  } finally {
    await Promise.all(trios.map((trio) => trio.close()));
  }
  return `Redis ${redisVersion()} with ${REDIS_ARGS.join(' ')}`;
}

/** Answers by clients of the first node to callers on the second, while ten thousand others wait. */
async function answers(row, trios, rounds, { asked, answers: pace }) {
  const waits = new Map(trios.map((trio) => [trio, []]));
  for (const trio of trios) {
    await trio.nodes[1].do('ask', { users: trio.users[0], ...asked });
    const shown = await trio.clients.do('arrived', { what: 'prompts', count: asked.count, withinMs: 30_000 });
    if (shown !== asked.count) throw new Error(`${trio.name}: ${shown} of ${asked.count} prompts were shown`);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const trio of trios) {
      await trio.clients.do('answer', pace);
      let got = await trio.nodes[1].do('waits');
      for (const until = Date.now() + PATIENCE_MS; got.length < pace.count && Date.now() < until; await delay(50))
        got = [...got, ...(await trio.nodes[1].do('waits'))];
      if (got.length !== pace.count) throw new Error(`${trio.name}: ${got.length} of ${pace.count} answers reached their caller`);
      waits.get(trio).push(...got);
    }
  }
  for (const trio of trios) {
    const all = waits.get(trio);
    row(
      'an answer on one node to the caller on another, 10 000 waiting',
      trio.name,
      `p50 ${percentile(all, 0.5).toFixed(2)} ms, p99 ${percentile(all, 0.99).toFixed(2)} ms`,
      `${all.length} answers`,
      trio.kind === 'ours' ? 'stored' : 'emitWithAck; nothing is stored',
    );
  }
}
