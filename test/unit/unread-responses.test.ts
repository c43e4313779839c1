import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { UnreadResponses } from '../../src/app/unread-responses.js';

const MEBIBYTE = 1024 * 1024;

describe('responses that are not read', () => {
  let now: number;
  let unread: UnreadResponses;
  let server: Server;
  let bytes: number;
  const clients: Socket[] = [];

  beforeEach(async () => {
    now = 0;
    bytes = MEBIBYTE;
    unread = new UnreadResponses(() => now);
    server = createServer((request, response) => {
      unread.watch(response);
      if (request.url !== '/unread') return response.end(Buffer.alloc(bytes));
      request.socket.cork(); // as if the kernel's buffers were full already; end() would undo it
      return response.write(Buffer.alloc(bytes));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    unread.close();
    for (const client of clients.splice(0)) client.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  /** @returns the server's end */
  async function get(path: string): Promise<Socket> {
    const requested = once(server, 'request') as Promise<[{ socket: Socket }]>;
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
    client.on('error', () => undefined); // it is cut
    clients.push(client);
    client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const [{ socket }] = await requested;
    return socket;
  }

  it('are cut after 30 s without a byte taken', async () => {
    const socket = await get('/unread');
    unread.sweep();
    now = 29_999;
    unread.sweep();
    expect(socket.destroyed).toBe(false);
    now = 30_000;
    unread.sweep();
    expect(socket.destroyed).toBe(true);
  });

  it('have 30 s again whenever some of them is taken', async () => {
    const socket = await get('/unread');
    unread.sweep();
    now = 29_999;
    socket.uncork();
    while (socket.writableLength > 0) await once(socket, 'drain');
    socket.cork();
    socket.write('more');
    unread.sweep();
    now = 59_998;
    unread.sweep();
    expect(socket.destroyed).toBe(false);
    now = 60_000;
    unread.sweep();
    expect(socket.destroyed).toBe(true);
  });

  it('responses that exceed 64 MiB in total are cut at once, the oldest first', async () => {
    bytes = 30 * MEBIBYTE;
    const sockets: Socket[] = [];
    for (let index = 0; index < 3; index += 1) {
      sockets.push(await get('/unread'));
      now += 1000;
      unread.sweep();
    }
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
  });

  it('are not those of idle connections', async () => {
    const socket = await get('/read');
    while (socket.writableLength > 0) await once(socket, 'drain');
    unread.sweep();
    now = 100_000;
    unread.sweep();
    expect(socket.destroyed).toBe(false);
  });
});
