/**
 * Two nodes on one Redis behind a balancer, one of which is killed halfway and started again: contestants of
 * `run.mjs --only=flaky-nodes`, with the same interface as those of one node.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Ours, SocketIo } from './contestants.mjs';

/** For so long the other node is alone. */
const DEAD_FOR_MS = 5000;

class OursOnRedis extends Ours {
  constructor(redisUrl) {
    super();
    this.redisUrl = redisUrl;
  }

  program() {
    const { script, environment } = super.program();
    return {
      script,
      environment: { ...environment, WEBSOCKET_ENGINE: 'redis', WEBSOCKET_REDIS_URL: this.redisUrl, RECOVERY: 'on' },
    };
  }
}

class SocketIoOnStreams extends SocketIo {
  constructor(redisUrl) {
    super(true);
    this.redisUrl = redisUrl;
  }

  program() {
    const script = fileURLToPath(new URL('socketio-server.mjs', import.meta.url));
    return { script, environment: { PORT: String(this.port), REDIS_URL: this.redisUrl, RECOVERY: 'on' } };
  }
}

class TwoNodes {
  constructor(name, Node) {
    this.name = `${name}, two nodes, one killed`;
    this.Node = Node;
    this.redis = new Redis();
  }

  async start() {
    await this.redis.start();
    const url = `redis://127.0.0.1:${this.redis.port}`;
    this.nodes = [new this.Node(url), new this.Node(url)];
    for (const node of this.nodes) await node.start();
    this.balancer = new Balancer(this.nodes.map(({ port }) => port));
    this.port = await this.balancer.listen();
  }

  client(options) {
    return this.nodes[0].client(options);
  }

  /** By way of the node that lives on. */
  broadcast(message) {
    return this.nodes[0].broadcast(message);
  }

  toUser(user, message) {
    return this.nodes[0].toUser(user, message);
  }

  async halfway() {
    await this.nodes[1].kill();
    await delay(DEAD_FOR_MS);
    await this.nodes[1].start();
  }

  async close() {
    this.balancer.close();
    for (const node of this.nodes) await node.close();
    await this.redis.stop();
  }
}

/** To the node with the fewest connections, else to the other. */
class Balancer {
  constructor(ports) {
    this.counts = new Map(ports.map((port) => [port, 0]));
    this.sockets = new Set();
  }

  async listen() {
    this.server = createServer((client) => {
      client.setNoDelay(true);
      client.on('error', () => undefined);
      this.sockets.add(client);
      client.once('close', () => this.sockets.delete(client));
      const ports = [...this.counts.keys()].sort((a, b) => this.counts.get(a) - this.counts.get(b));
      this.forward(client, ports);
    }).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.server.address().port;
  }

  forward(client, [port, ...others]) {
    if (port === undefined) return client.destroy();
    const upstream = connect(port, '127.0.0.1');
    let connected = false;
    this.counts.set(port, this.counts.get(port) + 1);
    upstream.setNoDelay(true);
    upstream.on('error', () => undefined);
    upstream.once('connect', () => {
      connected = true;
      client.pipe(upstream).pipe(client);
    });
    upstream.once('close', () => {
      this.counts.set(port, this.counts.get(port) - 1);
      if (connected || client.destroyed) client.destroy();
      else this.forward(client, others);
    });
    client.once('close', () => upstream.destroy());
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

class Redis {
  async start() {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    this.port = probe.address().port;
    await new Promise((resolve) => probe.close(resolve));
    this.folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.folder, '--appendonly', 'yes', '--save', ''];
    this.child = spawn('redis-server', args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
      this.child.stdout.on('data', (data) => data.toString().includes('Ready to accept') && resolve());
    });
    this.child.removeAllListeners('exit');
  }

  async stop() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const pairs = () => [
  new TwoNodes('ours', OursOnRedis),
  new TwoNodes('Socket.IO 4, Redis Streams adapter, connection state recovery', SocketIoOnStreams),
];
