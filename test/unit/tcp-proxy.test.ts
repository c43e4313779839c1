import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Random } from '../support/random.js';
import { TcpProxy, type ProxiedConnection } from '../support/tcp-proxy.js';

/** Echoes, and remembers what it got. */
class EchoServer {
  received = '';
  readonly sockets: Socket[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        this.received += data.toString();
        socket.write(data);
      });
      socket.once('end', () => socket.end());
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

describe('the TCP fault proxy', () => {
  let server: EchoServer;
  let proxy: TcpProxy;
  let target: number;
  const clients: Socket[] = [];

  beforeEach(async () => {
    server = new EchoServer();
    target = await server.listen();
    proxy = await TcpProxy.start({ port: target });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.close();
    await server.close();
  });

  async function open(): Promise<{ client: Socket; proxied: ProxiedConnection }> {
    const arrived = proxy.nextConnection();
    const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    client.setNoDelay(true);
    clients.push(client);
    await once(client, 'connect');
    return { client, proxied: await arrived };
  }

  /** Sends and awaits the echo; tells how long it took. */
  async function echo(client: Socket, text: string): Promise<number> {
    const start = performance.now();
    client.write(text);
    let answer = '';
    while (answer.length < text.length) {
      const [data] = (await once(client, 'data')) as [Buffer];
      answer += data.toString();
    }
    expect(answer).toBe(text);
    return performance.now() - start;
  }

  const brokenBy = async (client: Socket): Promise<string | undefined> => {
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    return error.code;
  };

  /** What a socket says within some milliseconds, for proofs that it says nothing. */
  const heardWithin = (client: Socket, ms: number): Promise<string> =>
    new Promise((resolve) => {
      let heard = '';
      const hear = (data: Buffer): void => void (heard += data.toString());
      client.on('data', hear);
      setTimeout(() => {
        client.off('data', hear);
        resolve(heard);
      }, ms);
    });

  it('forwards both ways, large amounts too, and passes an end on', async () => {
    const { client } = await open();
    await echo(client, 'hello');
    await echo(client, 'x'.repeat(5_000_000));
    client.end();
    await once(client, 'end');
  });

  it('delays what it forwards, in order, until it resumes', async () => {
    const { client, proxied } = await open();
    proxied.delay(60);
    expect(await echo(client, 'late')).toBeGreaterThanOrEqual(118); // both ways
    proxied.delay(60_000);
    const answer = echo(client, 'held');
    proxied.resume();
    expect(await answer).toBeLessThan(30_000);
  });

  it('delays all connections of the proxy, and one direction alone', async () => {
    const before = await open();
    proxy.delay(50, { directions: ['down'] });
    const after = await open();
    for (const { client } of [before, after]) expect(await echo(client, 'x')).toBeGreaterThanOrEqual(49);
  });

  it('draws its jitter from the seed', async () => {
    const JITTER_MS = 80;
    const random = new Random(3);
    const jittery = await TcpProxy.start({ port: target, seed: 3 });
    jittery.delay(0, { jitterMs: JITTER_MS });
    const client = connect(jittery.port, '127.0.0.1');
    await once(client, 'connect');
    for (const text of ['a', 'bb', 'ccc']) {
      const drawn = (random.next() + random.next()) * JITTER_MS; // once each way
      expect(await echo(client, text)).toBeGreaterThanOrEqual(drawn - 4); // timers count whole milliseconds
    }
    client.destroy();
    await jittery.close();
  });

  it('never reorders, however different the delays are', async () => {
    const { client, proxied } = await open();
    proxied.delay(0, { jitterMs: 50 });
    const sent = Array.from({ length: 20 }, (_, n) => `<${n}>`);
    let heard = '';
    client.on('data', (data: Buffer) => (heard += data.toString()));
    for (const text of sent) {
      client.write(text);
      await new Promise(setImmediate);
    }
    while (heard.length < sent.join('').length) await once(client, 'data');
    expect(heard).toBe(sent.join(''));
  });

  it('cuts with a reset, on both sides', async () => {
    const { client, proxied } = await open();
    await echo(client, 'x');
    const targetBroken = brokenBy(server.sockets[0]!);
    const clientBroken = brokenBy(client);
    proxied.cut();
    expect(await clientBroken).toBe('ECONNRESET');
    expect(await targetBroken).toBe('ECONNRESET');
    await proxied.closed;
    expect(proxy.connections.size).toBe(0);
  });

  it('passes a reset of one side on to the other', async () => {
    const { client } = await open();
    await echo(client, 'x');
    const broken = brokenBy(client);
    server.sockets[0]!.resetAndDestroy();
    expect(await broken).toBe('ECONNRESET');
  });

  it('half-closes: one direction ends, the other goes on', async () => {
    const { client, proxied } = await open();
    await echo(client, 'x');
    proxied.halfClose('down');
    await once(client, 'end');
    const got = once(server.sockets[0]!, 'data');
    client.write('still heard');
    expect(String((await got)[0])).toBe('still heard');
  });

  it('is a silent black hole, and forwards what it held when it resumes', async () => {
    const { client, proxied } = await open();
    await echo(client, 'x');
    proxied.blackHole();
    client.write('lost?');
    expect(await heardWithin(client, 60)).toBe('');
    expect(server.received).toBe('x');
    client.end();
    const targetEnded = once(server.sockets[0]!, 'end');
    expect(await heardWithin(client, 30)).toBe('');
    expect(server.sockets[0]!.readableEnded).toBe(false);
    proxied.resume();
    const [data] = (await once(client, 'data')) as [Buffer];
    expect(data.toString()).toBe('lost?');
    await targetEnded;
  });

  it('hides a reset in a black hole until it resumes', async () => {
    const { client, proxied } = await open();
    await echo(client, 'x');
    proxied.blackHole();
    server.sockets[0]!.resetAndDestroy();
    expect(await heardWithin(client, 50)).toBe('');
    expect(client.destroyed).toBe(false);
    const broken = brokenBy(client);
    proxied.resume();
    expect(await broken).toBe('ECONNRESET');
  });

  it('trickles at a rate', async () => {
    const { client, proxied } = await open();
    proxied.trickle(1_000, ['up']);
    const took = await echo(client, 'x'.repeat(200));
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(2_000);
  });

  it.each([{ chunks: 1 }, { bytes: 7 }])(
    'forwards %j, swallows the reply and cuts: done, but the client cannot know',
    async (limit) => {
      const { client, proxied } = await open();
      await echo(client, 'before');
      const dropped = proxied.dropReplyAfterForwarding(limit);
      const heard: string[] = [];
      client.on('data', (data: Buffer) => heard.push(data.toString()));
      const broken = brokenBy(client);
      client.write('INCR it');
      expect((await dropped).toString()).toBe('INCR it');
      expect(await broken).toBe('ECONNRESET');
      expect(server.received).toBe('beforeINCR it');
      expect(heard).toEqual([]);
    },
  );

  it('forwards no byte beyond the given number', async () => {
    const { client, proxied } = await open();
    const dropped = proxied.dropReplyAfterForwarding({ bytes: 4 });
    client.on('error', () => undefined);
    client.write('INCR it');
    expect((await dropped).toString()).toBe('INCR');
    expect(server.received).toBe('INCR');
  });

  it('says so when there was no reply to drop', async () => {
    const { client, proxied } = await open();
    client.on('error', () => undefined);
    const dropped = proxied.dropReplyAfterForwarding();
    proxied.cut();
    await expect(dropped).rejects.toThrow('closed before');
  });

  it('drops the replies after a text, in whatever pieces and on whichever connection it comes, and no others', async () => {
    const { client } = await open();
    const dropping = proxy.dropRepliesAfter('INCR');
    const { client: another, proxied } = await open();
    await echo(another, 'IN');
    const heard: string[] = [];
    another.on('data', (data: Buffer) => heard.push(data.toString()));
    another.write('CR it');
    expect(await dropping).toBe(proxied);
    await echo(client, 'INCR');
    while (!server.received.includes('INCR it')) await new Promise(setImmediate);
    await echo(client, 'still here');
    expect(heard).toEqual([]);
  });

  it('holds what comes from a text on until it resumes', async () => {
    const { client, proxied } = await open();
    const holding = proxy.holdFrom('late');
    await echo(client, 'early');
    client.write('late');
    await holding;
    await echo((await open()).client, 'another');
    expect(server.received).toBe('earlyanother');
    proxied.resume();
    await once(client, 'data');
    expect(server.received).toBe('earlyanotherlate');
  });

  it('sends new connections elsewhere when it is pointed there', async () => {
    const { client } = await open();
    const elsewhere = new EchoServer();
    proxy.pointAt(await elsewhere.listen());
    await echo((await open()).client, 'new');
    await echo(client, 'old');
    expect([elsewhere.received, server.received]).toEqual(['new', 'old']);
    await elsewhere.close();
  });

  it('refuses new connections, keeps the open ones, and takes new ones again on the same port', async () => {
    const { client } = await open();
    const { port } = proxy;
    await proxy.refuse();
    const refused = connect(port, '127.0.0.1');
    expect(await brokenBy(refused)).toBe('ECONNREFUSED');
    await echo(client, 'still here');
    await proxy.resume();
    expect(proxy.port).toBe(port);
    await echo((await open()).client, 'again');
  });

  it('breaks clients when the target cannot be reached', async () => {
    const nowhere = await TcpProxy.start({ port: 1 });
    const client = connect(nowhere.port, '127.0.0.1');
    expect(await brokenBy(client)).toBe('ECONNRESET');
    await nowhere.close();
  });
});
