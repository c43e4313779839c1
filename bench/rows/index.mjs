/** What is measured, in the order of the documents. */
import { ask, askDuringBroadcasts, broadcast, ping, questionCost, toUser } from './one-node.mjs';

export const ROWS = [ask, askDuringBroadcasts, questionCost, toUser, broadcast, ping];
