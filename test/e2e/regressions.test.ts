/** Faults that were there once, each through real sockets. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { startProcess } from '../support/process.js';
import { startService } from '../support/service.js';

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

describe('a flood', () => {
  it('that goes on is closed with 1008, however the tokens trickle in', async () => {
    const service = await startService({ environment: { WEBSOCKET_RATE_LIMIT: '200', WEBSOCKET_RATE_BURST: '1' } });
    const client = await service.connect();
    let open = true;
    const closed = client.closed().finally(() => (open = false));
    let replies = 0;
    // One at a time: each waits for its answer, so that a token is there again after a few.
    for (; open && replies < 5000; replies += 1) {
      client.send({ action: 'ping' });
      await Promise.race([once(client.socket, 'message'), closed]);
    }
    expect(replies).toBeLessThan(5000);
    expect(await closed).toEqual({ code: 1008, reason: 'rate limit exceeded' });
    await service.stop();
  });
});
