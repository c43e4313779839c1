/** Who competes. A contestant is one process; `dialect` is how its clients speak. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SECRET } from '../harness/secret.mjs';

const UNLIMITED = '1000000';
const SERVICE = {
  WEBSOCKET_HOST: '127.0.0.1',
  WEBSOCKET_MAX_CONNECTIONS: '20000',
  // One connection here stands for many clients.
  WEBSOCKET_RATE_LIMIT: UNLIMITED,
  WEBSOCKET_RATE_BURST: UNLIMITED,
  WEBSOCKET_LOG_LEVEL: 'error',
};
/** What `npm start` gives the service; all contestants in Node get it. */
const FLAGS = ['--max-semi-space-size=64', '--expose-gc'];

const ours = { name: 'ours', script: 'contestants/ours.mjs', flags: FLAGS, env: SERVICE, dialect: 'user' };
const socketio = { name: 'Socket.IO', script: 'contestants/socketio.mjs', flags: FLAGS, dialect: 'socketio' };
const redis = (contestant, env, name = contestant.name) => ({ ...contestant, name, env: { ...contestant.env, ...env } });

export const CONTESTANTS = {
  ours,
  'ours, in memory': { ...ours, env: { ...SERVICE, WEBSOCKET_DATA_DIR: ':memory:' } },
  'ours, idle': { ...ours, dialect: 'anonymous' },
  'ours, with JWT': {
    ...ours,
    env: { ...SERVICE, WEBSOCKET_AUTH: 'jwt', WEBSOCKET_JWT_SECRET: SECRET },
    dialect: 'secure',
  },
  'ours, pending': { ...ours, name: 'ours', script: 'contestants/pending.mjs' },
  ws: { name: 'ws', script: 'contestants/ws.mjs', flags: FLAGS, dialect: 'plain' },
  'Socket.IO': socketio,
  'stock Nest': { name: 'stock Nest', script: 'contestants/nest.mjs', flags: FLAGS, dialect: 'nest' },
  Bun: { name: 'Bun', script: 'contestants/bun.mjs', dialect: 'plain', runtime: findBun() },
  'ours, on Redis': redis(ours, { WEBSOCKET_ENGINE: 'redis' }),
  'Socket.IO, streams': redis(socketio, { ADAPTER: 'streams' }),
  'Socket.IO, recovery': { ...socketio, name: 'Socket.IO, recovery', env: { RECOVERY: 'on' } },
  'Socket.IO, pub/sub': redis(socketio, { ADAPTER: 'pubsub' }),
};

/** Every name without a runtime of its own runs in Node. @returns whether a contestant can run here */
export const canRun = (key) => key !== 'Bun' || CONTESTANTS.Bun.runtime !== undefined;

/** The package for this processor, else the one for older ones. @returns the path, or undefined when neither runs */
function findBun() {
  return ['bun-linux-x64', 'bun-linux-x64-baseline']
    .map((name) => fileURLToPath(new URL(`../node_modules/@oven/${name}/bin/bun`, import.meta.url)))
    .find((path) => existsSync(path) && spawnSync(path, ['--version'], { timeout: 10_000 }).status === 0);
}
