/**
 * A TCP proxy that breaks connections on purpose. It listens on a free port and forwards to a target.
 * Faults set on the proxy hold for all its connections, present and future; those set on one connection for
 * that one. `resume()` takes away what `delay`, `trickle`, `blackHole` and `refuse` did; a cut stays cut.
 *
 *  P1  Bytes are never reordered, and lost only by `cut`, `dropReply…` and `close`.
 *  P2  A side that ends (FIN) ends the other side after what was under way; one that breaks (RST) breaks the other.
 *      In a black hole neither gets through before `resume()`.
 *  P3  Whatever is random comes from the seed.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';
import { Random as SeededRandom } from './random.js';
import { HEALTHY, Lane, type Faults, type Limit, type Random } from './tcp-proxy-direction.js';

/** `up`: from the client to the target. */
export type Direction = 'up' | 'down';

export interface ProxyOptions {
  port: number;
  host?: string;
  seed?: number;
}

const BOTH: readonly Direction[] = ['up', 'down'];

abstract class Faulty {
  protected readonly faults: Record<Direction, Faults> = { up: { ...HEALTHY }, down: { ...HEALTHY } };

  /** Everything arrives so much later, plus up to `jitterMs`. */
  delay(
    delayMs: number,
    { jitterMs = 0, directions = BOTH }: { jitterMs?: number; directions?: readonly Direction[] } = {},
  ): void {
    this.set({ delayMs, jitterMs }, directions);
  }

  trickle(bytesPerSecond: number, directions = BOTH): void {
    this.set({ bytesPerSecond }, directions);
  }

  /** Nothing gets through, and neither side learns of it. */
  blackHole(directions = BOTH): void {
    this.set({ blackHole: true }, directions);
  }

  set(changes: Partial<Faults>, directions = BOTH): void {
    for (const direction of directions) Object.assign(this.faults[direction], changes);
    this.apply(changes, directions);
  }

  protected abstract apply(changes: Partial<Faults>, directions: readonly Direction[]): void;
}

export class TcpProxy extends Faulty {
  /** Connections that are open. */
  readonly connections = new Set<ProxiedConnection>();
  private readonly random: Random;
  private server: Server | undefined;
  private arrivals: ((connection: ProxiedConnection) => void)[] = [];

  private constructor(
    readonly port: number,
    private target: { port: number; host: string },
    seed: number,
  ) {
    super();
    const random = new SeededRandom(seed);
    this.random = () => random.next();
  }

  static async start({ port, host = '127.0.0.1', seed = 1 }: ProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(await freePort(), { port, host }, seed);
    await proxy.listen();
    return proxy;
  }

  /** New connections go there; those that are open stay, until they are cut. */
  pointAt(port: number): void {
    this.target = { ...this.target, port };
  }

  /**
   * As soon as a client sends one of some texts, through any connection, open or to come: once. What `what` does to the connection
   * holds before the text goes on.
   */
  async whenSent(texts: string | readonly string[], what: (connection: ProxiedConnection) => void): Promise<ProxiedConnection> {
    let over = false;
    try {
      return await new Promise((resolve) => {
        const watch = (connection: ProxiedConnection): void =>
          connection.whenSent([texts].flat(), () => {
            if (over) return;
            over = true;
            what(connection);
            resolve(connection);
          });
        const watchNext = (connection: ProxiedConnection): void => {
          if (over) return;
          watch(connection);
          this.arrivals.push(watchNext);
        };
        for (const connection of this.connections) watch(connection);
        this.arrivals.push(watchNext);
      });
    } finally {
      over = true;
    }
  }

  /** The target does what it is asked by this text, and the client does not hear of it, nor of anything later. */
  dropRepliesAfter(texts: string | readonly string[]): Promise<ProxiedConnection> {
    return this.whenSent(texts, (connection) => connection.dropReplies());
  }

  /** What a client sends from this text on waits until the connection resumes. */
  holdFrom(texts: string | readonly string[]): Promise<ProxiedConnection> {
    return this.whenSent(texts, (connection) => connection.blackHole(['up']));
  }

  /** The next connection that a client makes; ask before it does. */
  nextConnection(): Promise<ProxiedConnection> {
    return new Promise((resolve) => this.arrivals.push(resolve));
  }

  /** New connections get ECONNREFUSED; those that are open stay. */
  async refuse(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    // Its 'close' waits for the open connections, but it stops listening at once.
    server.close();
    await new Promise(setImmediate);
  }

  async resume(): Promise<void> {
    this.set(HEALTHY);
    if (!this.server) await this.listen();
  }

  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  halfClose(direction: Direction): void {
    for (const connection of this.connections) connection.halfClose(direction);
  }

  async close(): Promise<void> {
    await this.refuse();
    await Promise.all([...this.connections].map((connection) => (connection.cut(), connection.closed)));
  }

  protected apply(changes: Partial<Faults>, directions: readonly Direction[]): void {
    for (const connection of this.connections) connection.set(changes, directions);
  }

  private async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
    this.server = server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
  }

  private accept(client: Socket): void {
    const target = connect({ ...this.target, allowHalfOpen: true });
    const connection = new ProxiedConnection(client, target, this.random);
    for (const direction of BOTH) connection.set(this.faults[direction], [direction]);
    this.connections.add(connection);
    void connection.closed.then(() => this.connections.delete(connection));
    for (const resolve of this.arrivals.splice(0)) resolve(connection);
  }
}

export class ProxiedConnection extends Faulty {
  /** Resolves when both sides are closed. */
  readonly closed: Promise<void>;
  private readonly lanes: Record<Direction, Lane>;

  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    random: Random,
  ) {
    super();
    for (const socket of [client, target]) socket.setNoDelay(true);
    this.closed = Promise.all(
      [client, target].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))),
    ).then(() => undefined);
    const cut = (): void => this.cut();
    this.lanes = {
      up: new Lane(client, target, this.faults.up, random, cut),
      down: new Lane(target, client, this.faults.down, random, cut),
    };
    void this.closed.then(() => this.stop());
  }

  resume(): void {
    this.set(HEALTHY);
  }

  /** Breaks both sides with a RST; what was under way is lost. */
  cut(): void {
    this.stop();
    for (const socket of [this.client, this.target]) {
      socket.resetAndDestroy();
      // By itself it waits for a connection that is not made yet, and for bytes that a peer does not read.
      socket.destroy();
    }
  }

  /** The port at which the target sees this connection. */
  get targetSees(): number {
    return this.target.localPort ?? 0;
  }

  /** As soon as the client sends one of some texts, and before it goes on. */
  whenSent(texts: readonly string[], seen: () => void): void {
    this.lanes.up.whenSeen(texts, seen);
  }

  /** Nothing that the target answers comes back any more. */
  dropReplies(): void {
    void this.lanes.down.swallow();
  }

  /** Ends (FIN) what goes in this direction; the other goes on. */
  halfClose(direction: Direction): void {
    this.lanes[direction].end();
  }

  /**
   * Lets `chunks` more chunks (or `bytes` more bytes) through to the target and nothing after them, swallows what the
   * target answers to that, and then cuts: the target has done it, and the client does not know.
   * @returns the reply that the client did not get
   */
  async dropReplyAfterForwarding(limit: Limit = { chunks: 1 }): Promise<Buffer> {
    const gone = this.closed.then(() => Promise.reject(new Error('the connection closed before there was a reply to drop')));
    await Promise.race([this.lanes.up.forwardOnly(limit), gone]);
    const reply = await Promise.race([this.lanes.down.swallow(), gone]);
    this.cut();
    gone.catch(() => undefined);
    return reply;
  }

  protected apply(): void {
    for (const lane of Object.values(this.lanes)) lane.wake();
  }

  private stop(): void {
    for (const lane of Object.values(this.lanes)) lane.stop();
  }
}
