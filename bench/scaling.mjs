/**
 * The arithmetic of docs/scaling.md: what was measured with 5,000 and 10,000 connections predicts 19,000, and the costs of one
 * thing each say what a million and ten million users need.
 */
import { round } from './harness/table.mjs';

/** The rows that it rests on. */
export const SCALING_ROWS = ['accept', 'memory', 'idle', 'redis', 'scaling', 'scaling-redis'];

/** What a user does, and how large a node is. A node is one process on one core. */
const ASSUMED = {
  connectionsPerNode: 20_000,
  /** Per user. */
  messagesPerMinute: 1,
  questionsPerHour: 1,
  reconnectsPerHour: 1,
  /** To everybody. */
  broadcastsPerMinute: 1,
  /** How much of its core a Redis may use, so that a failure of another one can be borne. */
  redisShare: 0.5,
  /** What Redis keeps: `WEBSOCKET_RETENTION` in hours. */
  retentionHours: 24,
};
/** The loads of the row `scaling`. */
const MIXED = { broadcasts: 5, messages: 3200, questions: 800 };

const thousands = (value) => Math.round(value).toLocaleString('en');
const lines = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|---|${head
      .slice(1)
      .map(() => '--:')
      .join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');

/** @returns the first figure of a measure */
function reader({ figures }) {
  return (row, measure, key) => {
    const { by } = figures[row].measures[measure];
    return by[key ?? Object.keys(by)[0]];
  };
}

/** @returns the memory of a process with `users` users of `each` KB, in MB */
const memoryWith = (claims, users, each) => reader(claims)('scaling', 'memory at 1,000') + ((users - 1000) * each * 1024) / 1e6;

function predicted(claims) {
  const read = reader(claims);
  const at = (what, count) => read('scaling', `${what} at ${count}`);
  const mean = (what) => (at(what, '5,000') + at(what, '10,000')) / 2;
  const each = (size) => read('memory', `a user, at ${size}`);
  const memory = (size) => memoryWith(claims, 19_000, each(size));
  const mixed =
    (MIXED.broadcasts * 19_000 * mean('delivery') + MIXED.messages * mean('message') + MIXED.questions * mean('question')) / 1e6;
  const rows = [
    ['memory of the process', (memory('5,000') + memory('10,000')) / 2, memory('19,000'), 'MB'],
    ['a message to one user, CPU', mean('message'), at('message', '19,000'), 'µs'],
    ['one delivery of a broadcast, CPU', mean('delivery'), at('delivery', '19,000'), 'µs'],
    ['a question and its answer, CPU', mean('question'), at('question', '19,000'), 'µs'],
    ['all of them at once, CPU', mixed, at('mixed', '19,000'), 's'],
  ];
  return lines(
    ['at 19,000 connections', 'predicted', 'measured', 'off by'],
    rows.map(([what, guess, found, unit]) => [
      what,
      `${round(guess)} ${unit}`,
      `${round(found)} ${unit}`,
      `${Math.round((guess / found - 1) * 100)} %`,
    ]),
  );
}

function node(claims) {
  const read = reader(claims);
  const sizes = ['5,000', '10,000', '19,000'];
  const each = (what, unit) => sizes.map((size) => `${round(read('scaling', `${what} at ${size}`))} ${unit}`);
  return lines(
    ['one …, with … connections', ...sizes],
    [
      ['subscribed user: memory', ...sizes.map((size) => `${round(read('memory', `a user, at ${size}`))} KB`)],
      ['message to one user: CPU', ...each('message', 'µs')],
      ['delivery of a broadcast: CPU', ...each('delivery', 'µs')],
      ['question and its answer: CPU', ...each('question', 'µs')],
    ],
  );
}

const REDIS_COSTS = {
  'an idle node': 'an idle node, a second',
  'a user who is subscribed': 'a user, subscribed',
  'a first message to a user': 'a first message to a user',
  'a further message': 'a further message',
  'a pending question': 'a pending question',
  'a question and its answer': 'a question, answered',
  'a broadcast, on two nodes': 'a broadcast',
  'a broadcast, for each further node': 'a broadcast, for one more node',
};

function redis(claims) {
  const measures = claims.figures['scaling-redis'].measures;
  const cell = (name, part) => {
    const found = measures[`${name}, ${part}`];
    return found === undefined ? '' : thousands(found.by.ours);
  };
  return lines(
    ['', 'commands', 'CPU, µs', 'memory, bytes'],
    Object.entries(REDIS_COSTS).map(([label, name]) => [
      label === 'an idle node' ? 'an idle node, each second' : label,
      ...['commands', 'cpu', 'bytes'].map((part) => cell(name, part)),
    ]),
  );
}

/** @returns what `users` users do in a second */
const ratesOf = (users) => ({
  messages: (users * ASSUMED.messagesPerMinute) / 60,
  questions: (users * ASSUMED.questionsPerHour) / 3600,
  reconnects: (users * ASSUMED.reconnectsPerHour) / 3600,
  broadcasts: ASSUMED.broadcastsPerMinute / 60,
});

const nodesFor = (users) => Math.ceil(users / ASSUMED.connectionsPerNode);
const sum = (parts) => parts.reduce((total, [, count, each]) => total + count * each, 0);

/** @returns parts of a sum: what, how many of it, and what one costs */
function partsOf(claims, users) {
  const read = reader(claims);
  const ofRedis = (what, part) => read('scaling-redis', `${what}, ${part}`);
  const rates = ratesOf(users);
  const nodes = nodesFor(users);
  const redis = (part) => [
    ['messages', rates.messages, ofRedis('a further message', part)],
    ['questions and answers', rates.questions, ofRedis('a question, answered', part)],
    ['reconnects', rates.reconnects, ofRedis('a user, subscribed', part)],
    ['idle nodes', nodes, ofRedis('an idle node, a second', part)],
  ];
  const across = (what) => read('redis', `${what}, sender`) + read('redis', `${what}, receiver`);
  return {
    redisCpu: redis('cpu'),
    redisCommands: redis('commands'),
    redisBytes: [
      ['subscribed users', users, ofRedis('a user, subscribed', 'bytes')],
      ['histories of the last minutes', users, ofRedis('a first message to a user', 'bytes')],
      [
        `questions of the last ${ASSUMED.retentionHours} hours`,
        users * ASSUMED.questionsPerHour * ASSUMED.retentionHours,
        ofRedis('a question, answered', 'bytes'),
      ],
    ],
    nodesCpu: [
      ['messages, both nodes', rates.messages, across('a message, 64 at a time')],
      ['questions and answers, both nodes', rates.questions, across('a question, 64 open')],
      ['reconnects', rates.reconnects, read('accept', 'connection, total', 'ours, with JWT')],
      ['deliveries of broadcasts', rates.broadcasts * users, read('scaling', 'delivery at 19,000')],
      ['idle connections, by 10,000', users / 10_000, read('idle', 'CPU per 10,000 connections') * 1000],
    ],
  };
}

/** A sum as text: every part with its number and its cost. */
const written = (parts, unit, total) =>
  [
    ...parts.map(([what, count, each]) => `- ${what}: ${thousands(count)} × ${thousands(each)} ${unit}`),
    `- together: ${total}`,
  ].join('\n');

function sums(claims) {
  const { redisCpu, redisBytes, nodesCpu } = partsOf(claims, 1_000_000);
  const nodes = nodesFor(1_000_000);
  return [
    `${nodes} nodes, each second:`,
    written(nodesCpu, 'µs', `${round(sum(nodesCpu) / 1e6)} cores, or ${round(sum(nodesCpu) / 1e4 / nodes)} % of each node’s`),
    'Redis, each second:',
    written(redisCpu, 'µs', `${round(sum(redisCpu) / 1e6)} cores`),
    'Memory of Redis:',
    written(redisBytes, 'bytes', `${thousands(sum(redisBytes) / 1e9)} GB`),
  ].join('\n\n');
}

function plan(claims) {
  const read = reader(claims);
  const needs = [1_000_000, 10_000_000].map((users) => {
    const { redisCpu, redisCommands, redisBytes, nodesCpu } = partsOf(claims, users);
    const cores = sum(redisCpu) / 1e6;
    const [, , , [, count, each]] = redisCpu;
    return { users, nodes: nodesFor(users), nodesCpu, cores, idle: (count * each) / 1e6 / cores, redisCommands, redisBytes };
  });
  const ofRedis = (what) => read('scaling-redis', `${what}, cpu`);
  const shards = ({ cores }) => Math.ceil(cores / ASSUMED.redisShare);
  const accept = read('accept', 'connection, total', 'ours, with JWT');
  const full = ASSUMED.connectionsPerNode;
  const rows = {
    [`nodes of ${thousands(full)} connections`]: ({ nodes }) => thousands(nodes),
    'of a node’s core, on average': ({ nodesCpu, nodes }) => `${round(sum(nodesCpu) / 1e4 / nodes)} %`,
    'memory of a node': () => `${round(memoryWith(claims, full, read('memory', 'a user, at 19,000')) / 1e3)} GB`,
    'commands in Redis, each second': ({ redisCommands }) => thousands(sum(redisCommands)),
    'cores of Redis': ({ cores }) => round(cores),
    'of these for idle nodes': ({ idle }) => `${Math.round(idle * 100)} %`,
    'shards, each half busy': (need) => thousands(shards(need)),
    'memory of Redis': ({ redisBytes }) => `${thousands(sum(redisBytes) / 1e9)} GB`,
    'one broadcast: its shard is busy for': ({ nodes }) =>
      `${round((nodes * ofRedis('a broadcast, for one more node')) / 1000)} ms`,
    'one broadcast: each node is busy for': () => `${round((full * read('scaling', 'delivery at 19,000')) / 1e6)} s`,
    'everybody comes back: each node is busy for': () => `${round((full * accept) / 1e6)} s`,
    'everybody comes back: each shard is busy for': (need) =>
      `${round((need.users * ofRedis('a user, subscribed')) / 1e6 / shards(need))} s`,
  };
  return lines(
    ['', ...needs.map(({ users }) => `${thousands(users)} users`)],
    Object.entries(rows).map(([what, show]) => [what, ...needs.map(show)]),
  );
}

/** @returns the parts of docs/scaling.md by name */
export const scaling = (claims) => ({
  node: node(claims),
  predicted: predicted(claims),
  redis: redis(claims),
  sums: sums(claims),
  plan: plan(claims),
});
