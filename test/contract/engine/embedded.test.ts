import { parseChannel } from '../../../src/protocol/channels.js';
import { NEWS } from '../../support/news.js';
import { describeEngine } from './engine-suite.js';
import { EngineFolder } from '../../support/engine-folder.js';
import { EngineRecorder } from '../../support/engine-recorder.js';

describeEngine('embedded', () => EngineFolder.create());

it('the embedded engine answers every call in order while the main thread has no idle time', async () => {
  const folder = await EngineFolder.create();
  try {
    const recorder = new EngineRecorder();
    const engine = await folder.start(recorder);
    const calls: Promise<unknown>[] = [];
    const publish = (n: number, recoverable: boolean) =>
      engine.broker.publish({ channel: NEWS, message: { type: 'note', n }, recoverable });
    for (let n = 0; n < 60; n += 1) {
      calls.push(publish(n, n % 3 > 0));
      for (const until = performance.now() + 2; performance.now() < until;);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(calls);
    expect(recorder.of('publication').map(({ publication }) => publication.message['n'])).toEqual(Array.from(calls.keys()));
    await engine.close();
  } finally {
    await folder.close();
  }
});

describe('a channel that the embedded engine has forgotten', () => {
  it('goes on from where it stood, so that a position from before it was forgotten cannot hide a gap', async () => {
    const folder = await EngineFolder.create();
    try {
      let engine = await folder.start(new EngineRecorder(), { retentionMs: 20, historyTtlMs: 20 });
      const publish = () => engine.broker.publish({ channel: NEWS, message: { type: 'note' }, recoverable: true });
      const since = await engine.broker.position('news');
      await publish();
      await publish();
      // A channel without a row stands at the floor, which the forgotten channel raises.
      while ((await engine.broker.position('other')).offset === since.offset) await engine.ping();
      await engine.close();
      // What comes now is to stay for as long as the test takes.
      engine = await folder.start(new EngineRecorder());
      expect((await publish()).position?.offset).toBe(since.offset + 3);
      for (const offset of [since.offset, since.offset + 1]) {
        expect(await engine.broker.history({ channel: 'news', since: { ...since, offset }, limit: 1 })).toMatchObject({
          complete: false,
        });
      }
      expect(
        await engine.broker.history({ channel: 'news', since: { ...since, offset: since.offset + 2 }, limit: 1 }),
      ).toMatchObject({
        complete: true,
      });
    } finally {
      await folder.close();
    }
  });

  it('goes on after the heads of all channels that were forgotten with it', async () => {
    const folder = await EngineFolder.create();
    try {
      const engine = await folder.start(new EngineRecorder(), { retentionMs: 20, historyTtlMs: 20 });
      const publish = async (channel: string): Promise<number> =>
        (await engine.broker.publish({ channel: parseChannel(channel), message: { type: 'note' }, recoverable: true })).position
          ?.offset ?? 0;
      const floor = async (): Promise<number> => (await engine.broker.position('unused')).offset;
      let highest = await publish('low');
      while (highest < 9) highest = await publish('high');
      while ((await floor()) < highest || (await engine.broker.position('low')).offset < highest) await engine.ping();
      expect(await publish('low')).toBeGreaterThan(highest);
    } finally {
      await folder.close();
    }
  });
});
