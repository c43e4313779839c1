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

    it('counts a connection that begins after another has ended as a reconnect, once', async () => {
      const { presence } = node.engine;
      expect(await presence.connect('c1', 'ann')).toEqual({ reconnected: false });
      expect(await presence.connect('c2', 'ann')).toEqual({ reconnected: false });
      for (const id of ['c1', 'c2', 'c1']) await presence.disconnect(id, 'ann');
      for (const id of ['c3', 'c4']) expect(await presence.connect(id, 'ann')).toEqual({ reconnected: true });
      expect(await presence.connect('c4', 'ann')).toEqual({ reconnected: false });
      expect(await presence.connect('c5', 'ann')).toEqual({ reconnected: false });
      expect(await presence.connect('b1', 'bob')).toEqual({ reconnected: false });
      expect(await Promise.all(['ann', 'bob'].map((userId) => presence.reconnects(userId)))).toEqual([2, 0]);
    });

    it('gives what the node says of itself', async () => {
      let reports = await node.engine.reports();
      while (reports.length === 0) reports = await node.engine.reports();
      expect(reports).toEqual([{ node: expect.any(String), report: '{}' }]);
    });
  });
}
