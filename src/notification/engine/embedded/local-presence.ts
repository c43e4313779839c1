/** Who is connected, in this process: each user's connections, oldest first, at most so many. */
export class LocalPresence {
  private readonly connections = new Map<string, Set<string>>();

  constructor(private readonly limit: number) {}

  /** @returns the connections that must give way */
  add(connectionId: string, userId: string): string[] {
    const own = this.connections.get(userId) ?? new Set<string>();
    this.connections.set(userId, own.add(connectionId));
    const evicted = [...own].slice(0, Math.max(0, own.size - this.limit));
    for (const id of evicted) own.delete(id);
    return evicted;
  }

  remove(connectionId: string, userId: string): void {
    const own = this.connections.get(userId);
    if (own?.delete(connectionId) && own.size === 0) this.connections.delete(userId);
  }

  count(userId: string): number {
    return this.connections.get(userId)?.size ?? 0;
  }
}
