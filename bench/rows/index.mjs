/**
 * What is measured, in the order of the documents. A row's `pace` is `slow` (not with `--quick`) or `long` (with `--all`, or
 * by its name).
 */
import { crowd, idle, memory } from './crowds.mjs';
import { million } from './million.mjs';
import { flaky, flakyNodes } from './flaky.mjs';
import { accept, ask, askDuringBroadcasts, broadcast, ping, questionCost, toUser } from './one-node.mjs';
import { scaling, scalingOfRedis } from './scaling.mjs';
import { largeStorm, smallStorm } from './storm.mjs';
import { redis } from './two-nodes.mjs';

export const ROWS = [
  ...[ask, askDuringBroadcasts, questionCost, toUser, broadcast, crowd, ping],
  ...[accept, memory, idle, redis, scaling, scalingOfRedis],
  ...[smallStorm, largeStorm, flaky, flakyNodes, million],
];
