/** The rows of one node that are measured alike: contestants with connections, and loads that they run in turn. */
import { accepts, answers, answersDuringBroadcasts, broadcasts, messages, pings, questions } from '../harness/measures.mjs';

const MANY = 8000;

export const ask = {
  name: 'ask',
  title: 'A question and its answer, one by one, in memory',
  contestants: ['ours, in memory', 'Socket.IO'],
  connections: 100,
  rounds: 5,
  measures: { wait: { unit: 'ms', run: answers({ count: 400, inFlight: 1 }) } },
};

export const askDuringBroadcasts = {
  name: 'ask-during-broadcasts',
  title: 'A question and its answer while broadcasts to 1,000 go back to back',
  contestants: ['ours', 'Socket.IO'],
  connections: 1000,
  rounds: 4,
  measures: { wait: { unit: 'ms', run: answersDuringBroadcasts({ count: 260, everyMs: 17 }) } },
};

export const questionCost = {
  name: 'question',
  title: 'A question and its answer, 64 open, stored',
  contestants: ['ours', 'Socket.IO'],
  connections: 64,
  rounds: 5,
  measures: {
    '64 devices': { unit: 'µs', run: questions({ count: 3000, inFlight: 64 }) },
    'one device': { unit: 'µs', run: questions({ count: 1000, inFlight: 64 }, 1) },
  },
};

export const toUser = {
  name: 'to-user',
  title: `A message to one of ${MANY.toLocaleString('en')} users, stored`,
  contestants: ['ours', 'Socket.IO', 'ws'],
  connections: MANY,
  rounds: 5,
  measures: {
    '64 at a time': { unit: 'µs', run: messages({ count: 6400, perTick: 64, everyMs: 8 }) },
    'one by one': { unit: 'µs', run: messages({ count: 150, everyMs: 8 }) },
  },
};

/** A thousand writes take a core 10 to 20 ms: the ticks are far enough apart for a broadcast to be over at the next one. */
export const broadcast = {
  name: 'broadcast',
  title: 'A broadcast to 1,000 connections, one delivery, stored',
  contestants: ['ours', 'ws', 'Socket.IO', 'Bun'],
  connections: 1000,
  rounds: 7,
  measures: {
    'one a tick': { unit: 'µs', run: broadcasts({ count: 30, everyMs: 25 }) },
    'ten a tick': { unit: 'µs', run: broadcasts({ count: 100, perTick: 10, everyMs: 100 }) },
  },
};

export const ping = {
  name: 'ping',
  title: 'A ping and its pong, 64 in flight',
  contestants: ['ours', 'ws', 'stock Nest'],
  connections: 64,
  rounds: 7,
  measures: {
    'one connection': { unit: 'µs', run: pings({ count: 12_800, inFlight: 64, over: 1 }) },
    '64 connections': { unit: 'µs', run: pings({ count: 6400, inFlight: 64, over: 64 }) },
  },
};

export const accept = {
  name: 'accept',
  title: 'A connection until it is subscribed',
  contestants: ['ours, with JWT', 'Socket.IO', 'ws'],
  connections: 0,
  rounds: 5,
  measures: { connection: { unit: 'µs', run: accepts({ count: 1000 }) } },
};
