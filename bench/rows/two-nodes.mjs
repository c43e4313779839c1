/** The rows of two nodes on one Redis: a call on one reaches a user on the other. */
import { answers, broadcasts, messages, questions } from '../harness/measures.mjs';
import { redisVersion } from '../harness/redis.mjs';
import { TwoNodes } from '../harness/two-nodes.mjs';

export const redis = {
  name: 'redis',
  title: `From one node to a user on another, Redis ${redisVersion() ?? 'is not installed'}`,
  contestants: ['ours, on Redis', 'Socket.IO, streams', 'Socket.IO, pub/sub'],
  connections: 1000,
  rounds: 5,
  stand: (key) => new TwoNodes(key),
  measures: {
    'a message, 64 at a time': { unit: 'µs', run: messages({ count: 3200, perTick: 64, everyMs: 16 }) },
    'a broadcast, one delivery': { unit: 'µs', run: broadcasts({ count: 20, everyMs: 30 }) },
    'a question, 64 open': { unit: 'µs', run: questions({ count: 1000, inFlight: 64 }) },
    'a question, one by one, wait': { unit: 'ms', run: answers({ count: 250, inFlight: 1 }) },
  },
};
