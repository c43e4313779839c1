/** A real Redis of a test's own: a free port, a folder of its own, and what can happen to it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findBinary } from './system.js';

export interface RedisOptions {
  /** @default true */
  appendonly?: boolean;
  /** Further settings, as on its command line without the dashes. */
  settings?: Record<string, string>;
}

export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly args: string[],
  ) {}

  static async start({ appendonly = true, settings = {} }: RedisOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    const args = Object.entries({ appendonly: appendonly ? 'yes' : 'no', save: '', ...settings });
    for (;;) {
      const server = new RedisServer(
        await freePort(),
        folder,
        args.flatMap(([name, value]) => [`--${name}`, value]),
      );
      try {
        await server.run();
        return server;
      } catch (error) {
        await server.end('SIGKILL');
        // Somebody was quicker: between the look and the start a port is nobody's.
        if (!String(error).includes('Address already in use')) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** One command, on a connection of its own; resolves with the reply as Redis wrote it. */
  async command(...args: string[]): Promise<string> {
    return this.pipeline(args);
  }

  /** Some commands, on one connection of their own; resolves with the replies as Redis wrote them. */
  async pipeline(...commands: string[][]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    const bulk = (arg: string): string => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
    socket.end(commands.map((args) => `*${args.length}\r\n${args.map(bulk).join('')}`).join(''));
    let reply = '';
    for await (const chunk of socket) reply += String(chunk);
    return reply;
  }

  /** What `INFO` says of one thing. */
  async info(name: string): Promise<string | undefined> {
    return new RegExp(`^${name}:(.*)\r$`, 'm').exec(await this.command('INFO'))?.[1];
  }

  /** Watches what Redis carries out. */
  async monitor(): Promise<RedisMonitor> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    const monitor = new RedisMonitor(socket);
    socket.write('MONITOR\r\n');
    await monitor.saw('OK');
    return monitor;
  }

  /**
   * A replica of this server that has caught up with it.
   * @param port by which it reaches this server
   */
  async startReplica(port = this.port): Promise<RedisServer> {
    await this.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
    const replica = await RedisServer.start({
      settings: { replicaof: `127.0.0.1 ${port}`, 'repl-diskless-sync-delay': '0' },
    });
    await replica.follows(this);
    return replica;
  }

  /** Resolves when this replica has what its master has now. */
  async follows(master: RedisServer): Promise<void> {
    while ((await this.info('master_link_status')) !== 'up') await delay(10);
    const offset = Number(await master.info('master_repl_offset'));
    while (Number(await this.info('slave_repl_offset')) < offset) await delay(5);
  }

  /** It becomes a master, or the replica of another. */
  async promote(): Promise<void> {
    await this.command('REPLICAOF', 'NO', 'ONE');
  }

  async demote(master: RedisServer): Promise<void> {
    await this.command('REPLICAOF', '127.0.0.1', String(master.port));
    await this.follows(master);
  }

  /** As a crash would take it. */
  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** After `kill9`, on the same data. */
  async restart(): Promise<void> {
    await this.run();
  }

  /** It is there, and does not move. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  private async run(): Promise<void> {
    const binary = findBinary('redis-server');
    if (binary === undefined) throw new Error('redis-server is not installed');
    const child = spawn(binary, ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, ...this.args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended before it was ready:\n${output}`)));
    });
  }
}

/** What `MONITOR` says, a line for each command. */
export class RedisMonitor {
  private lines: string[] = [];
  private rest = '';
  private watchers: (() => void)[] = [];

  constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (chunk) => {
      const lines = (this.rest + String(chunk)).split('\r\n');
      this.rest = lines.pop() ?? '';
      this.lines.push(...lines);
      for (const wake of this.watchers.splice(0)) wake();
    });
  }

  forget(): void {
    this.lines = [];
  }

  /** Resolves when a command with all of these texts has been carried out since `forget`. */
  async saw(...texts: string[]): Promise<void> {
    while (!this.lines.some((line) => texts.every((text) => line.includes(text))))
      await new Promise<void>((resolve) => this.watchers.push(resolve));
  }

  stop(): void {
    this.socket.destroy();
  }
}

/** Three masters on loopback, which share the slots. */
export class RedisCluster {
  private constructor(readonly servers: RedisServer[]) {}

  static async start(): Promise<RedisCluster> {
    const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000' };
    const servers = await Promise.all([0, 1, 2].map(() => RedisServer.start({ settings })));
    const [first, ...others] = servers;
    if (!first) throw new Error('no server was started');
    await Promise.all(
      servers.map((server, index) =>
        server.command(
          'CLUSTER',
          'ADDSLOTSRANGE',
          String(Math.ceil((16384 / 3) * index)),
          String(Math.ceil((16384 / 3) * (index + 1)) - 1),
        ),
      ),
    );
    for (const [index, server] of servers.entries()) await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    for (const other of others) await other.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
    // There is no event to await: a cluster settles by gossip.
    for (const server of servers)
      while (
        !(await server.command('CLUSTER', 'INFO')).match(
          /cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:3/,
        )
      )
        await delay(50);
    return new RedisCluster(servers);
  }

  get url(): { cluster: string[] } {
    return { cluster: this.servers.map(({ url }) => url) };
  }

  /** The server whose slot it is. */
  async ownerOf(slot: number): Promise<RedisServer> {
    for (const server of this.servers) {
      const nodes = await server.command('CLUSTER', 'NODES');
      const own = nodes.split('\n').find((line) => line.includes('myself')) ?? '';
      const ranges = own
        .trim()
        .split(' ')
        .slice(8)
        .map((range) => range.split('-').map(Number));
      if (ranges.some(([from = -1, to = from]) => from <= slot && slot <= to)) return server;
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  /**
   * Moves a slot with all its keys, step by step, as an operator's tool does.
   * @param between after each key that was moved
   */
  async moveSlot(slot: number, to: RedisServer, between: () => Promise<void> = () => Promise.resolve()): Promise<number> {
    const from = await this.ownerOf(slot);
    const idOf = async (server: RedisServer): Promise<string> => (await server.command('CLUSTER', 'MYID')).split('\r\n')[1] ?? '';
    const [fromId, toId] = [await idOf(from), await idOf(to)];
    const ok = async (server: RedisServer, ...args: string[]): Promise<void> => {
      const reply = await server.command(...args);
      if (!reply.startsWith('+')) throw new Error(`${args.slice(0, 3).join(' ')}: ${reply}`);
    };
    await ok(to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId);
    await ok(from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId);
    let moved = 0;
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '1'))
        .split('\r\n')
        .filter((_, index) => index > 0 && index % 2 === 0);
      const [key] = keys;
      if (!key) break;
      await ok(from, 'MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000');
      moved += 1;
      await between();
    }
    for (const server of [to, from, ...this.servers]) await ok(server, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', toId);
    return moved;
  }

  async flush(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.command('FLUSHALL')));
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** What this process has been given: a port that is free twice is one server's all the same. */
const given = new Set<number>();

/** In cluster mode Redis takes the port 10 000 above it, too. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    if (port >= 55_000 || given.has(port)) continue;
    given.add(port);
    return port;
  }
}
