/**
 * Publications on their way to Redis. Those of one turn of the event loop travel in one script, which costs Redis and the node
 * far less than a script for each.
 *
 *  1. The publications of one partition, so of one channel, keep their order.
 *  2. On a single server a script works on any number of partitions. In a Redis Cluster each partition has a script of its own.
 *     A server that refuses keys of several slots, such as a proxy before a cluster, has not run the script; from then on it
 *     gets one for each partition.
 *  3. A script takes a bounded number of publications and bytes, so that it does not hold Redis up.
 *  4. A script that fails rejects each of its publications. Whether they were published is then unknown.
 */
import { setImmediate } from '../../../pacing/time-source.js';
import { saysRedis } from '../connection/error-log.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import { PUBLISH, type Published } from '../scripts/message.js';

/** About half a millisecond of Redis' time. */
const MAX_PUBLICATIONS = 64;
const MAX_CHARACTERS = 262_144;

/** A publication as the script takes it. */
export type QueuedPublication = Omit<Parameters<(typeof PUBLISH)['encode']>[0]['items'][number], 'place'>;

/** The arguments that all publications share. */
export type PublishLimits = Omit<Parameters<(typeof PUBLISH)['encode']>[0], 'items'>;

interface Waiting {
  readonly partition: number;
  readonly publication: QueuedPublication;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: unknown) => void;
}

export class PublicationQueue {
  private waiting: Waiting[] = [];
  private spansPartitions: boolean;

  constructor(
    private readonly runner: Pick<ScriptRunner, 'isSingleServer' | 'runOn'>,
    private readonly limits: PublishLimits,
  ) {
    this.spansPartitions = runner.isSingleServer;
  }

  /** @throws EngineUnavailableError, StoreFullError */
  publish(partition: number, publication: QueuedPublication): Promise<Published> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ partition, publication, resolve, reject });
      if (this.waiting.length === 1) setImmediate(() => this.send(this.waiting.splice(0)));
    });
  }

  private send(waiting: Waiting[]): void {
    waiting.sort((a, b) => a.partition - b.partition);
    for (let start = 0; start < waiting.length;) {
      const end = this.endOfBatch(waiting, start);
      void this.run(waiting.slice(start, end));
      start = end;
    }
  }

  private endOfBatch(waiting: readonly Waiting[], start: number): number {
    let characters = 0;
    for (let end = start; end < waiting.length; end += 1) {
      const { partition, publication } = waiting[end] as Waiting;
      characters += publication.message.length;
      const isFull = end - start === MAX_PUBLICATIONS || characters > MAX_CHARACTERS;
      const isElsewhere = !this.spansPartitions && partition !== waiting[start]?.partition;
      if (end > start && (isFull || isElsewhere)) return end;
    }
    return waiting.length;
  }

  private async run(batch: Waiting[]): Promise<void> {
    const partitions = [...new Set(batch.map(({ partition }) => partition))];
    // Each partition has two of KEYS, which Lua counts from 1.
    const items = batch.map(({ partition, publication }) => ({ place: 1 + 2 * partitions.indexOf(partition), ...publication }));
    try {
      const published = await this.runner.runOn(PUBLISH, partitions, { items, ...this.limits });
      for (const [index, { resolve }] of batch.entries()) resolve(published[index] as Published);
    } catch (error) {
      if (partitions.length > 1 && error instanceof Error && saysRedis(error.cause, 'CROSSSLOT')) {
        this.spansPartitions = false;
        this.send(batch);
        return;
      }
      for (const { reject } of batch) reject(error);
    }
  }
}
