import { setTimeout as delay } from 'node:timers/promises';
import { LoopLoad } from '../../src/notification/pacing/loop-load.js';

const work = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end;);
};

describe('the load of an event loop', () => {
  it('is not busy after a short piece of work in idle time, and is busy without idle time', async () => {
    const load = new LoopLoad();
    await delay(200);
    work(5);
    expect(load.isBusy()).toBe(false);
    work(100);
    expect(load.isBusy()).toBe(true);
    await delay(200);
    expect(load.isBusy()).toBe(false);
  });
});
