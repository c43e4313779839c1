/**
 * The one private field of `ws` that the service reads: how many bytes the receiver has taken and not parsed yet. A version
 * of `ws` that renames it must fail here, not in a lost answer.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

describe('the receiver of a WebSocket', () => {
  let server: Server;
  let client: WebSocket;
  afterEach(() => {
    client.terminate();
    server.close();
  });

  it('counts in `_receiver.writableLength` the bytes that were read and not parsed yet', async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // As the service sets it: one frame of a connection for each turn of the event loop.
    const sockets = new WebSocketServer({ noServer: true, allowSynchronousEvents: false });
    const FRAMES = 50;
    const unparsed: number[] = [];
    let receiver: { writableLength?: unknown } | undefined;
    let bytesRead = 0;
    const done = new Promise<void>((resolve) => {
      server.on('upgrade', (request, socket, head) =>
        sockets.handleUpgrade(request, socket, head, (ws) => {
          receiver = (ws as unknown as { _receiver?: { writableLength?: unknown } })._receiver;
          socket.on('data', (chunk: Buffer) => (bytesRead += chunk.length));
          ws.on('message', () => {
            expect(receiver?.writableLength).toEqual(expect.any(Number));
            unparsed.push(receiver?.writableLength as number);
            if (unparsed.length === FRAMES) resolve();
          });
        }),
      );
    });
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(client, 'open');
    // The frames go out together, so that they arrive in one segment.
    const { _socket: socket } = client as unknown as { _socket: Socket };
    socket.cork();
    for (let frame = 0; frame < FRAMES; frame += 1) client.send('x'.repeat(100));
    socket.uncork();
    await done;
    expect(bytesRead).toBeGreaterThan(FRAMES * 100);
    expect(Math.max(...unparsed)).toBeLessThanOrEqual(bytesRead);
    // The receiver takes a segment back once all of its frames have been handed on.
    expect(Math.min(...unparsed)).toBeGreaterThan(0);
    while (receiver?.writableLength !== 0) await new Promise(setImmediate);
  });
});
