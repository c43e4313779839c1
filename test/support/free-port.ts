/** A port for a server that must come back on the same one. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that Linux gives to `listen(0)` and to outgoing connections, so that nothing takes it meanwhile. */
const FIRST = 12_000;
const LAST = 32_000;

/**
 * Finds a port that nothing listens on.
 * @throws the error of the last attempt if twenty random ports are taken
 */
export async function freePort(attempts = 20): Promise<number> {
  const port = randomInt(FIRST, LAST);
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    if (attempts === 1) throw error;
    return freePort(attempts - 1);
  }
  server.close();
  await once(server, 'close');
  return port;
}
