/** Who is connected, in this process: each user's connections, oldest first, at most so many. */
import type { Device } from '../engine.js';

/** There is no other. */
const NODE = 'embedded';

export class LocalPresence {
  private readonly connections = new Map<string, Set<string>>();
  /** What is known of a connection. */
  private readonly described = new Map<string, Omit<Device, 'node'>>();

  constructor(private readonly limit: number) {}

  /** @returns the connections that must give way */
  add(connectionId: string, userId: string): string[] {
    const own = this.connections.get(userId) ?? new Set<string>();
    this.connections.set(userId, own.add(connectionId));
    const evicted = [...own].slice(0, Math.max(0, own.size - this.limit));
    for (const id of evicted) this.remove(id, userId);
    return evicted;
  }

  remove(connectionId: string, userId: string): void {
    const own = this.connections.get(userId);
    if (!own?.delete(connectionId)) return;
    this.described.delete(connectionId);
    if (own.size === 0) this.connections.delete(userId);
  }

  describe(connectionId: string, userId: string, device: Omit<Device, 'node'>): void {
    if (this.connections.get(userId)?.has(connectionId)) this.described.set(connectionId, device);
  }

  devices(userId: string): Device[] {
    return [...(this.connections.get(userId) ?? [])].flatMap((connectionId) => {
      const device = this.described.get(connectionId);
      return device ? [{ node: NODE, ...device }] : [];
    });
  }

  count(userId: string): number {
    return this.connections.get(userId)?.size ?? 0;
  }
}
