/** How few calls of the store a crowd that connects costs. */
import type { WaitingRow } from '../../src/notification/engine/embedded/rows.js';
import { WaitingReader } from '../../src/notification/engine/embedded/waiting-reader.js';

/** A store that says how often a user was read, by the offset. */
function newStore(): { calls: string[][]; read: (userIds: readonly string[]) => Promise<WaitingRow[]> } {
  const calls: string[][] = [];
  const times = (userId: string): number => calls.flat().filter((read) => read === userId).length;
  const read = async (userIds: readonly string[]): Promise<WaitingRow[]> => {
    calls.push([...userIds]);
    if (userIds.includes('broken')) throw new Error('no disk');
    return userIds.map((userId) => ({
      position: { epoch: userId, offset: times(userId) },
      pendingIds: [],
      hasMessages: false,
    }));
  };
  return { calls, read };
}

describe('a reader of what waits for users', () => {
  it('reads for one user at once, and for those who follow closely in calls of at most 64', async () => {
    const { calls, read } = newStore();
    const reader = new WaitingReader(read);
    const users = Array.from({ length: 100 }, (_, n) => `user-${n}`);
    const waiting = await Promise.all(users.map((user) => reader.of(user)));
    expect(waiting.map(({ position }) => position.epoch)).toEqual(users);
    // How closely they follow depends on the machine.
    const sizes = calls.map((call) => call.length);
    expect(sizes[0]).toBe(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
    expect(sizes.length).toBeLessThan(50);
    expect(calls.flat()).toEqual(users);
    reader.close();
  });

  it('remembers what it has read until something of the user changes', async () => {
    const { read } = newStore();
    const reader = new WaitingReader(read);
    const offset = async (): Promise<number> => (await reader.of('ann')).position.offset;
    expect(await Promise.all([offset(), offset()])).toEqual([1, 1]);
    expect(await offset()).toBe(1);
    reader.changed('bob');
    expect(await offset()).toBe(1);
    reader.changed('ann');
    expect(await offset()).toBe(2);
    reader.clear();
    expect(await offset()).toBe(3);
    reader.close();
  });

  it('fails every reading of a call that fails, and remembers none of them', async () => {
    const { read } = newStore();
    const reader = new WaitingReader(read);
    await reader.of('ann');
    const results = await Promise.allSettled(['bob', 'broken'].map((user) => reader.of(user)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await reader.of('bob')).position.epoch).toBe('bob');
    reader.close();
  });
});
