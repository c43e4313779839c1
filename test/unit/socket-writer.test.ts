import { jest } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { SocketWriter } from '../../src/notification/gateway/socket-writer.js';

type Write = (bytes: Buffer, written: (error?: Error | null) => void) => boolean;

const writeTo =
  (socket: Duplex, writer = new SocketWriter()): Write =>
  (bytes, written) =>
    writer.write(socket, bytes, written);

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The two ends of a TCP connection on the loopback. */
async function pair(): Promise<{ socket: Socket; peer: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  closing.push(() => [socket, peer].forEach((end) => end.destroy()));
  return { socket, peer };
}

/** Reads `size` bytes. */
async function read(peer: Socket, size: number): Promise<string> {
  const chunks: Buffer[] = [];
  for (let length = 0; length < size;) {
    const [chunk] = (await once(peer, 'data')) as [Buffer];
    chunks.push(chunk);
    length += chunk.length;
  }
  return Buffer.concat(chunks).toString();
}

/** More than the kernel takes for a peer that does not read. */
const MUCH = Buffer.alloc(64_000_000, 'x');
const written = (): void => {
  throw new Error('reported a write that had been taken at once');
};

describe('a socket writer', () => {
  it('writes to the handle of a TCP socket, past its stream', async () => {
    const { socket, peer } = await pair();
    const stream = jest.spyOn(Duplex.prototype, 'write');
    closing.push(() => stream.mockRestore());
    const write = writeTo(socket);
    for (const text of ['one ', 'two']) expect(write(Buffer.from(text), written)).toBe(true);
    expect(await read(peer, 7)).toBe('one two');
    expect([stream.mock.calls.length, socket.bytesWritten]).toEqual([0, 7]);
  });

  it.each([
    ['Node.js does not give its binding', () => Object.assign(process, { binding: undefined })],
    [
      'the binding is denied',
      () =>
        Object.assign(process, {
          binding: () => {
            throw new Error('denied');
          },
        }),
    ],
    ['the binding has other contents', () => Object.assign(process, { binding: () => ({ WriteWrap: class {} }) })],
  ])('writes to the stream if %s', async (_what, prepare) => {
    const { binding } = process as { binding?: unknown };
    closing.push(() => Object.assign(process, { binding }));
    const { socket, peer } = await pair();
    prepare();
    const stream = jest.spyOn(Duplex.prototype, 'write');
    closing.push(() => stream.mockRestore());
    expect(writeTo(socket)(Buffer.from('text'), written)).toBe(true);
    expect(await read(peer, 4)).toBe('text');
    expect(stream.mock.calls.filter(([bytes]) => String(bytes) === 'text')).toHaveLength(1);
  });

  it('writes by the socket’s own `write` if that was replaced', async () => {
    const { socket, peer } = await pair();
    const texts: string[] = [];
    const { write } = socket;
    Object.assign(socket, {
      write: (bytes: Buffer, done: () => void) => {
        texts.push(String(bytes));
        return write.call(socket, bytes, done as never);
      },
    });
    writeTo(socket)(Buffer.from('text'), written);
    expect([await read(peer, 4), texts]).toEqual(['text', ['text']]);
  });

  it('leaves a frame to the stream in which bytes wait, and to one that is corked', async () => {
    const { socket, peer } = await pair();
    const write = writeTo(socket);
    socket.cork();
    expect(write(Buffer.from('one '), () => undefined)).toBe(false);
    expect(write(Buffer.from('two'), () => undefined)).toBe(false);
    socket.uncork();
    expect(await read(peer, 7)).toBe('one two');
  });

  it('reports when the kernel has taken the rest, and keeps the order with what the stream writes and with its end', async () => {
    const { socket, peer } = await pair();
    const writer = new SocketWriter();
    const write = writeTo(socket, writer);
    const order: string[] = [];
    const taken = new Promise<void>((resolve) => {
      expect(write(MUCH, () => resolve(void order.push('written')))).toBe(false);
    });
    // Writes of another socket meanwhile: one that is taken at once, and one that is not.
    const other = await pair();
    const [small, large] = [Buffer.from('other'), MUCH];
    expect(writeTo(other.socket, writer)(small, written)).toBe(true);
    const otherTaken = new Promise<void>((resolve) => {
      expect(writeTo(other.socket, writer)(large, () => resolve())).toBe(false);
    });
    expect((await read(other.peer, small.length + large.length)).slice(0, 6)).toBe('otherx');
    await otherTaken;
    expect([order, socket.writableLength]).toEqual([[], 0]);
    socket.end('end');
    const text = await read(peer, MUCH.length + 3);
    expect([text.length, text.slice(-4)]).toEqual([MUCH.length + 3, 'xend']);
    await taken;
  });

  it('destroys a socket whose peer is gone', async () => {
    const { socket, peer } = await pair();
    const write = writeTo(socket);
    const failed = once(socket, 'error');
    expect(write(MUCH, written)).toBe(false);
    peer.resetAndDestroy();
    expect(String(await failed)).toMatch(/ECONNRESET|EPIPE/);
    expect(socket.destroyed).toBe(true);
  });

  it('leaves the error of a write that fails at once to the stream', async () => {
    const { socket, peer } = await pair();
    socket.pause();
    const write = writeTo(socket);
    socket.end();
    const failed = once(socket, 'error');
    await once(peer, 'end');
    write(Buffer.from('late'), () => undefined);
    expect(String(await failed)).toMatch(/write after end/);
  });
});
