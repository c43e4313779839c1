import { once } from 'node:events';
import { createServer } from 'node:net';

/** @returns a port that was free a moment ago, for a server that must come back on the same one */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
