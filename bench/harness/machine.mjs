/** Where it was measured, and beside what. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function machine() {
  const [{ model }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of ${model.trim()}, ${memory} GB, Linux ${release().split('.', 2).join('.')}, Node ${process.versions.node}`;
}

const PEERS = {
  ws: '../node_modules/ws',
  'Socket.IO': '../node_modules/socket.io',
  'redis-streams-adapter': '../node_modules/@socket.io/redis-streams-adapter',
  'redis-adapter': '../node_modules/@socket.io/redis-adapter',
  Bun: '../node_modules/@oven/bun-linux-x64',
  Nest: '../../node_modules/@nestjs/core',
};

/** @returns their names and versions */
export const peers = () =>
  Object.entries(PEERS)
    .map(([name, path]) => [name, new URL(`${path}/package.json`, import.meta.url)])
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`)
    .join(', ');
