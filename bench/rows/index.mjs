/** What is measured, in the order of the documents. */
import { crowd, idle, memory } from './crowds.mjs';
import { accept, ask, askDuringBroadcasts, broadcast, ping, questionCost, toUser } from './one-node.mjs';
import { scaling, scalingOfRedis } from './scaling.mjs';
import { redis } from './two-nodes.mjs';

export const ROWS = [
  ...[ask, askDuringBroadcasts, questionCost, toUser, broadcast, crowd, ping],
  ...[accept, memory, idle, redis, scaling, scalingOfRedis],
];
