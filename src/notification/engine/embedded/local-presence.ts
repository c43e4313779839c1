/** The users who are connected to this process: each user's connections, oldest first, up to the limit. */
import type { Emitter } from '../emitter.js';
import type { Device, Presence } from '../presence.js';
import { Reconnects } from './reconnects.js';

/** The only node's name. */
const NODE = 'embedded';

export class LocalPresence implements Presence {
  private readonly connections = new Map<string, Set<string>>();
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
    const own = this.connections.get(userId) ?? new Set<string>();
    const reconnected = !own.has(connectionId) && this.reconnected.came(userId);
    this.connections.set(userId, own.add(connectionId));
    for (const evicted of [...own].slice(0, Math.max(0, own.size - this.limit))) {
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
    return this.connections.get(userId)?.size ?? 0;
  }

  async describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): Promise<void> {
    this.checkOpen();
    if (this.connections.get(userId)?.has(connectionId)) this.described.set(connectionId, device);
  }

  async devices(userId: string): Promise<Device[]> {
    this.checkOpen();
    return [...(this.connections.get(userId) ?? [])].flatMap((connectionId) => {
      const device = this.described.get(connectionId);
      return device ? [{ node: NODE, ...device }] : [];
    });
  }

  /** @returns whether the connection was counted */
  private remove(connectionId: string, userId: string): boolean {
    const own = this.connections.get(userId);
    if (!own?.delete(connectionId)) return false;
    this.described.delete(connectionId);
    if (own.size === 0) this.connections.delete(userId);
    return true;
  }
}
