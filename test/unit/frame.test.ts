/** Our frames, read by `ws` itself on the other side of a real socket. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { OutboundFrame } from '../../src/notification/connection/frame.js';

/** A message whose JSON has exactly `bytes` bytes. */
const sized = (bytes: number): object => ({ x: 'x'.repeat(bytes - 8) });

describe.each([
  ['plain', false],
  ['deflated', true],
])('a %s frame', (_what, compress) => {
  let server: Server;
  let client: WebSocket;
  let socket: Duplex;

  beforeAll(async () => {
    server = createServer();
    const endpoint = new WebSocketServer({
      noServer: true,
      perMessageDeflate: compress && { serverNoContextTakeover: true, clientNoContextTakeover: true },
    });
    server.on('upgrade', (request, raw, head) => endpoint.handleUpgrade(request, raw, head, () => (socket = raw)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: compress });
    await once(client, 'open');
    expect(client.extensions.includes('permessage-deflate')).toBe(compress);
  });
  afterAll(async () => {
    client.terminate();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  it.each([9, 125, 126, 127, 1023, 1024, 65_535, 65_536, 65_537, 300_000])(
    'arrives as it was when it has %i bytes',
    async (bytes) => {
      const message = sized(bytes);
      expect(Buffer.byteLength(JSON.stringify(message))).toBe(bytes);
      const received = once(client, 'message');
      socket.write(new OutboundFrame(message).wire(compress));
      const [data, isBinary] = (await received) as [Buffer, boolean];
      expect([JSON.parse(data.toString()), isBinary]).toEqual([message, false]);
    },
  );

  it('is made once, arrives as often as it is written, and stands beside others in one write', async () => {
    const [one, other] = [new OutboundFrame({ text: 'ünï☃'.repeat(1000) }), new OutboundFrame({})];
    expect(one.wire(compress)).toBe(one.wire(compress));
    const received: string[] = [];
    const all = new Promise<void>((resolve) =>
      client.on('message', (data: Buffer) => {
        if (received.push(data.toString()) === 3) resolve();
      }),
    );
    socket.write(Buffer.concat([one.wire(compress), other.wire(compress), one.wire(compress)]));
    await all;
    client.removeAllListeners('message');
    expect(received.map((text) => JSON.parse(text) as object)).toEqual([
      { text: 'ünï☃'.repeat(1000) },
      {},
      { text: 'ünï☃'.repeat(1000) },
    ]);
  });

  it('is compressed only where that is worth it', () => {
    const small = new OutboundFrame(sized(1023));
    const large = new OutboundFrame(sized(1024));
    expect(small.wire(true)).toBe(small.wire(false));
    expect(large.wire(true).length).toBeLessThan(large.wire(false).length / 10);
    expect([large.wire(true)[0], large.wire(false)[0]]).toEqual([0xc1, 0x81]);
    // RFC 7692 §7.2.1: the empty block's end is left out.
    expect(large.wire(true).subarray(-4).toString('hex')).not.toBe('0000ffff');
  });
});
