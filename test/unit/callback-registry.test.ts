import { CallbackRegistry } from '../../src/notification/confirmation/callback-registry.js';
import type { Decided } from '../../src/notification/engine/confirmation-store.js';

const decided = (callbackId: string): Decided => ({ callbackId }) as Decided;

describe('the callback registry', () => {
  it('resolves every waiter with the same decision, once', async () => {
    const waiters = new CallbackRegistry();
    const [one, two, other] = [waiters.wait('a'), waiters.wait('a'), waiters.wait('b')];
    const decision = decided('a');
    waiters.settle(decision);
    expect(await Promise.all([one.decided, two.decided])).toEqual([decision, decision]);
    expect(waiters.callbackIds).toEqual(['b']);
    waiters.settle(decided('a'));
    other.leave();
    expect(await other.decided).toBeUndefined();
    expect(waiters.callbackIds).toEqual([]);
  });

  it('moves a waiter to another prompt', async () => {
    const waiters = new CallbackRegistry();
    const waiter = waiters.wait('proposed');
    waiter.found('earlier');
    expect(waiters.callbackIds).toEqual(['earlier']);
    waiters.settle(decided('proposed'));
    waiters.settle(decided('earlier'));
    expect((await waiter.decided)?.callbackId).toBe('earlier');
  });

  it('rejects waiters that had seen a lost prompt, and keeps those whose prompt is not stored yet', async () => {
    const waiters = new CallbackRegistry();
    const [seen, early, late] = [waiters.wait('a'), waiters.wait('a'), waiters.wait('a')];
    seen.found('a');
    const lose = waiters.loser('a');
    // Stored, and seen, while the reading was under way.
    late.found('a');
    const lost = new Error('lost');
    lose(lost);
    await expect(seen.decided).rejects.toBe(lost);
    waiters.settle(decided('a'));
    expect([(await early.decided)?.callbackId, (await late.decided)?.callbackId]).toEqual(['a', 'a']);
  });

  it('ignores leave after a decision, and a decision after leave', async () => {
    const waiters = new CallbackRegistry();
    const [first, second] = [waiters.wait('a'), waiters.wait('b')];
    waiters.settle(decided('a'));
    first.leave();
    second.leave();
    waiters.settle(decided('b'));
    expect([(await first.decided)?.callbackId, await second.decided]).toEqual(['a', undefined]);
  });

  it('rejects every waiter when it closes, without an unhandled rejection', async () => {
    const waiters = new CallbackRegistry();
    const waiter = waiters.wait('a');
    waiters.wait('unheard');
    const closed = new Error('closed');
    waiters.rejectAll(closed);
    await expect(waiter.decided).rejects.toBe(closed);
    expect(waiters.callbackIds).toEqual([]);
  });
});
