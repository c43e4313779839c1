/**
 * A cluster as deploy/ describes it: places for nodes, each a process on a port of its own, one Redis, and nginx on
 * deploy/nginx.conf in front of all places, whether something runs there or not.
 */
import { freePort } from './free-port.js';
import { startNginx, type Nginx } from './nginx.js';
import { startProcess, type ServiceProcess } from './process.js';
import { RedisServer } from './redis.js';

export class ClusterSite {
  private readonly nodes: (ServiceProcess | undefined)[];

  private constructor(
    private readonly ports: readonly number[],
    private readonly redis: RedisServer,
    private readonly nginx: Nginx,
    private readonly environment: Record<string, string>,
  ) {
    this.nodes = ports.map(() => undefined);
  }

  /** @param running how many nodes are started, at the first places */
  static async create(places: number, running: number, environment: Record<string, string> = {}): Promise<ClusterSite> {
    const ports: number[] = [];
    while (ports.length < places) ports.push(await freePort());
    const redis = await RedisServer.start();
    const nginx = await startNginx({ upstreams: ports.map((port) => `127.0.0.1:${port}`) });
    const site = new ClusterSite(ports, redis, nginx, environment);
    await Promise.all(Array.from({ length: running }, (_, place) => site.start(place)));
    return site;
  }

  /** nginx's. */
  get url(): string {
    return this.nginx.url;
  }

  get wsUrl(): string {
    return this.nginx.url.replace('http', 'ws');
  }

  /** Resolves when the node listens. */
  async start(place: number): Promise<void> {
    this.nodes[place] = await startProcess({
      WEBSOCKET_ENGINE: 'redis',
      WEBSOCKET_REDIS_URL: this.redis.url,
      WEBSOCKET_PORT: String(this.portOf(place)),
      WEBSOCKET_LOG_LEVEL: 'info',
      WEBSOCKET_AUDIT_FILE: '/dev/null',
      WEBSOCKET_TRUST_PROXY: '127.0.0.1',
      ...this.environment,
    });
  }

  /** Resolves when the node has ended. @returns how it ended */
  async stop(place: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<Awaited<ServiceProcess['ended']> | undefined> {
    const node = this.nodes[place];
    this.nodes[place] = undefined;
    return node?.stop(signal);
  }

  portOf(place: number): number {
    const port = this.ports[place];
    if (port === undefined) throw new RangeError(`there is no place ${place}`);
    return port;
  }

  /** Connections of the node at a place; asked of itself. */
  async connectionsOf(place: number): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.portOf(place)}/ws/status`);
    return ((await response.json()) as { active_connections: number }).active_connections;
  }

  /** @returns what nginx complained of */
  async close(): Promise<string> {
    const { errorLog } = await this.nginx.stop();
    await Promise.all(this.nodes.map((_, place) => this.stop(place, 'SIGKILL')));
    await this.redis.stop();
    return errorLog;
  }
}
