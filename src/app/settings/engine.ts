/** Settings: where state lives. */
import { z } from 'zod';
import { REDIS_PREFIX, REDIS_URL } from '../../notification/service-door.js';
import { list, onOff, oneOf, text, whole, type Table } from './kinds.js';

export const engine = {
  WEBSOCKET_ENGINE: {
    ...oneOf('embedded', 'redis'),
    option: 'engine',
    about: 'Where state lives: `embedded` is this node’s disk, `redis` serves any number of nodes.',
  },
  WEBSOCKET_DATA_DIR: {
    ...text('a folder, or :memory:'),
    option: 'dataDir',
    about:
      'The embedded engine’s folder; `:memory:` keeps nothing. A copy that is put in its place begins new epochs; a rolled-back snapshot of the whole file system is not recognised.',
  },
  WEBSOCKET_REDIS_URL: {
    ...list(
      'a redis:// or rediss:// URL, with %25 for each % of its password and at most the number of a database; several, separated by commas, are nodes of a Redis Cluster',
      (url) => REDIS_URL.safeParse(url).success,
    ),
    option: 'redisUrls',
    isSecret: true,
    inFile: true,
    about: '`redis://` or `rediss://`; several, separated by commas, are nodes of a Redis Cluster.',
  },
  WEBSOCKET_REDIS_PREFIX: {
    ...text('1 to 64 letters, digits or any of . _ - : / @', z.string().regex(REDIS_PREFIX)),
    option: 'redisPrefix',
    about: 'Begins every key and pub/sub channel in Redis: letters, digits, `. _ - : / @`.',
  },
  WEBSOCKET_REDIS_ACCEPT_LOSS: {
    ...onOff(),
    option: 'redisAcceptLoss',
    about: '`on`: a Redis without persistence, or with an evicting policy, is accepted.',
  },
  WEBSOCKET_REDIS_WAIT_REPLICAS: {
    ...whole('a whole number of replicas', 0),
    option: 'redisWaitReplicas',
    about: 'Replicas that must have a change before it counts.',
  },
} as const satisfies Table;
