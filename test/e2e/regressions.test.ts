/** Faults that were there once, each through real sockets. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { startProcess } from '../support/process.js';

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

describe('a refused upgrade', () => {
  it('whose peer resets does not end the process', async () => {
    const service = await startProcess();
    for (let count = 0; count < 50; count += 1) {
      const socket = connectTcp(service.port, '127.0.0.1');
      await once(socket, 'connect');
      await new Promise<void>((written) => socket.write(handshake('/nowhere'), () => written()));
      socket.resetAndDestroy();
    }
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
    await service.stop();
  });
});
