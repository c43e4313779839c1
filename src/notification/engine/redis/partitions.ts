/**
 * The partitions of the data. Everything of one user lies in one partition, and so does everything of one task or channel. A
 * callback id names its partition.
 */
import { hash } from 'node:crypto';
import type { Channel } from '../../../protocol/channels.js';

const MAX_KNOWN = 10_000;

export class Partitions {
  readonly all: readonly number[];
  /** Recent results of `of`; emptied when it is full. */
  private readonly known = new Map<string, number>();

  constructor(readonly count: number) {
    this.all = Array.from({ length: count }, (_, index) => index);
  }

  /** @param name of a user, a task, a channel or a message */
  of(name: string): number {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const partition = Number.parseInt(hash('sha1', name, 'hex').slice(0, 8), 16) % this.count;
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    this.known.set(name, partition);
    return partition;
  }

  ofChannel(channel: Channel): number {
    switch (channel.kind) {
      case 'user':
        return this.of(channel.userId);
      case 'task':
        return this.of(channel.taskId);
      case 'broadcast':
      case 'named':
        return this.of(channel.name);
      default:
        return channel satisfies never;
    }
  }

  /** The callback id under which a proposed one is stored. A stored id stays as it is. */
  callbackId(proposed: string, userId: string): string {
    const partition = this.of(userId);
    return this.ofCallback(proposed) === partition ? proposed : `${partition}.${proposed}`;
  }

  /** @returns `undefined` for an id that no engine has made */
  ofCallback(callbackId: string): number | undefined {
    const digits = /^(\d{1,5})\./.exec(callbackId)?.[1];
    const partition = digits === undefined ? this.count : Number(digits);
    return partition < this.count ? partition : undefined;
  }
}

/** Redis Cluster's slot of a key with a hash tag. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % 16384;
}
