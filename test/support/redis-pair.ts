/**
 * A master and its replica behind one address, as a fail-over proxy or a virtual address gives it. The replica can be made
 * to lag, the master to die, the replica to take its place.
 */
import { RedisServer } from './redis.js';
import { TcpProxy } from './tcp-proxy.js';

export class RedisPair {
  private constructor(
    private master: RedisServer,
    private replica: RedisServer,
    /** The replica's way to the master. */
    private readonly stream: TcpProxy,
    private readonly address: TcpProxy,
  ) {}

  static async start(): Promise<RedisPair> {
    const master = await RedisServer.start();
    const [stream, address] = await Promise.all([TcpProxy.start(master), TcpProxy.start(master)]);
    return new RedisPair(master, await master.startReplica(stream.port), stream, address);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.address.port}`;
  }

  /** The replica has all that the master has now, and gets nothing any more. */
  async lag(): Promise<void> {
    await this.replica.follows(this.master);
    this.stream.blackHole(['down']);
  }

  kill(): Promise<void> {
    return this.master.kill9();
  }

  /** The replica takes the dead master's place. */
  async promote(): Promise<void> {
    this.stream.cut();
    await this.replica.promote();
    this.address.pointAt(this.replica.port);
    this.address.cut();
    [this.master, this.replica] = [this.replica, this.master];
  }

  /** The old master comes back, with all that it knows, as replica of the new one. */
  async comeBack(): Promise<void> {
    await this.replica.restart();
    await this.replica.demote(this.master);
  }

  /** How many of the keys there are on each. */
  async count(...keys: string[]): Promise<number[]> {
    const replies = await Promise.all([this.master, this.replica].map((server) => server.command('EXISTS', ...keys)));
    return replies.map((reply) => Number(reply.slice(1)));
  }

  async stop(): Promise<void> {
    await Promise.all([this.stream.close(), this.address.close(), this.master.stop(), this.replica.stop()]);
  }
}
