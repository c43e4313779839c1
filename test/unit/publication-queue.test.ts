/** Publications of one turn of the event loop travel together. */
import { PublicationQueue, type QueuedPublication } from '../../src/notification/engine/redis/stores/publication-queue.js';
import type { Published } from '../../src/notification/engine/redis/scripts/message.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';

interface Run {
  partitions: readonly number[];
  /** The place of each message among KEYS, and its number. */
  items: [place: number, message: string][];
}

const publication = (message: string): QueuedPublication => ({
  channel: 'news',
  message,
  recoverable: true,
  anonymousToo: false,
  head: '',
  tail: '',
});
const LIMITS = { historySize: 1, historyTtl: 1, idleTtl: 1, retention: 1 };

function queueOn({ isSingleServer = true, fails }: { isSingleServer?: boolean; fails?: (run: Run) => Error | undefined }) {
  const runs: Run[] = [];
  const queue = new PublicationQueue(
    {
      isSingleServer,
      runOn: <Reply>(_: unknown, partitions: readonly number[], values: unknown): Promise<Reply> => {
        const { items } = values as { items: { place: number; message: string }[] };
        const run: Run = { partitions, items: items.map(({ place, message }) => [place, message]) };
        runs.push(run);
        const error = fails?.(run);
        if (error) return Promise.reject(error);
        const published = items.map(({ message }): Published => ({ epoch: message, offset: 1, watchers: [], owner: undefined }));
        return Promise.resolve(published as Reply);
      },
    },
    LIMITS,
  );
  const publish = (partition: number, message: string) => queue.publish(partition, publication(message));
  return { runs, publish };
}

describe('a queue of publications', () => {
  it('sends those of one turn in one script, each partition together and in order', async () => {
    const { runs, publish } = queueOn({});
    const published = await Promise.all([publish(7, 'a'), publish(3, 'b'), publish(7, 'c')]);
    expect(published.map(({ epoch }) => epoch)).toEqual(['a', 'b', 'c']);
    await publish(7, 'd');
    expect(runs).toEqual([
      { partitions: [3, 7], items: [[1, 'b'], [3, 'a'], [3, 'c']] }, // prettier-ignore
      { partitions: [7], items: [[1, 'd']] },
    ]);
  });

  it('sends one script for each partition of a Redis Cluster', async () => {
    const { runs, publish } = queueOn({ isSingleServer: false });
    await Promise.all([publish(7, 'a'), publish(3, 'b'), publish(7, 'c')]);
    expect(runs.map(({ partitions, items }) => [partitions, items.length])).toEqual([
      [[3], 1],
      [[7], 2],
    ]);
  });

  it('bounds a script in publications and in characters', async () => {
    const { runs, publish } = queueOn({});
    await Promise.all(Array.from({ length: 130 }, (_, index) => publish(1, String(index))));
    expect(runs.map(({ items }) => items.length)).toEqual([64, 64, 2]);
    expect(runs.flatMap(({ items }) => items.map(([, message]) => Number(message)))).toEqual([...Array(130).keys()]);
    runs.length = 0;
    await Promise.all(Array.from({ length: 4 }, () => publish(1, 'x'.repeat(100_000))));
    expect(runs.map(({ items }) => items.length)).toEqual([2, 2]);
  });

  it('rejects every publication of a script that fails, and no other', async () => {
    const { publish } = queueOn({ fails: ({ items }) => (items.length === 64 ? new EngineUnavailableError('away') : undefined) });
    const ended = await Promise.allSettled(Array.from({ length: 65 }, (_, index) => publish(1, String(index))));
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(64);
    expect(ended.at(-1)).toMatchObject({ status: 'fulfilled' });
  });
});
