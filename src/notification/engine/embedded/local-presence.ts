/** The users who are connected to this process: each user's connections, oldest first, up to the limit. */
import type { Emitter } from '../emitter.js';
import type { Device, Presence } from '../presence.js';
import { Grouped } from '../../pacing/grouped.js';
import { Reconnects } from './reconnects.js';

/** The only node's name. */
const NODE = 'embedded';

export class LocalPresence implements Presence {
  private readonly connections = new Grouped<string, string>();
  private readonly reconnected = new Reconnects();
  private readonly described = new Map<string, Omit<Device, 'node'>>();

  /**
   * @param limit connections per user
   * @param checkOpen throws once the engine closes
   */
  constructor(
    private readonly limit: number,
    private readonly emitter: Emitter,
    private readonly checkOpen: () => void,
  ) {}

  async connect(connectionId: string, userId: string): Promise<{ reconnected: boolean }> {
    this.checkOpen();
    const { connections } = this;
    const reconnected = !connections.has(userId, connectionId) && this.reconnected.came(userId);
    connections.add(userId, connectionId);
    const over = connections.count(userId) - this.limit;
    for (const evicted of over > 0 ? [...connections.of(userId)].slice(0, over) : []) {
      this.remove(evicted, userId);
      this.emitter.emit((handler) => handler.onEvicted(evicted));
    }
    return { reconnected };
  }

  /** Works after `close` too: there is nothing at which it could fail. */
  async disconnect(connectionId: string, userId: string): Promise<void> {
    if (this.remove(connectionId, userId)) this.reconnected.left(userId);
  }

  async reconnects(userId: string): Promise<number> {
    this.checkOpen();
    return this.reconnected.count(userId);
  }

  async count(userId: string): Promise<number> {
    this.checkOpen();
    return this.connections.count(userId);
  }

  async describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void> {
    this.checkOpen();
    if (this.connections.has(userId, connectionId)) this.described.set(connectionId, device);
  }

  async devices(userId: string): Promise<Device[]> {
    this.checkOpen();
    return [...this.connections.of(userId)].flatMap((connectionId) => {
      const device = this.described.get(connectionId);
      return device ? [{ node: NODE, ...device }] : [];
    });
  }

  /** @returns whether the connection was counted */
  private remove(connectionId: string, userId: string): boolean {
    if (!this.connections.delete(userId, connectionId)) return false;
    this.described.delete(connectionId);
    return true;
  }
}
