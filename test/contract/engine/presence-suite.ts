/** What every engine's `Presence` must do. */
import type { EngineUnderTest } from './engine-under-test.js';

export function describePresence(node: EngineUnderTest): void {
  describe('presence', () => {
    it("counts a user's connections and sends the oldest away over the limit", async () => {
      await node.restart({ maxConnectionsPerUser: 2 });
      for (const id of ['c1', 'c2', 'c3']) await node.engine.presence.connect(id, 'ann');
      expect((await node.recorder.nth('evicted')).connectionId).toBe('c1');
      expect(await node.engine.presence.count('ann')).toBe(2);
      await node.engine.presence.disconnect('c1', 'ann');
      await node.engine.presence.disconnect('c2', 'ann');
      expect(await node.engine.presence.count('ann')).toBe(1);
      expect(await node.engine.presence.count('bob')).toBe(0);
      expect(await node.engine.cluster(5)).toMatchObject({ engine: node.engine.name, nodes: 1, activeConnections: 5 });
    });
  });
}
