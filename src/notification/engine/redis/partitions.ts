/**
 * Where things live. A user's things share the user's partition, a task's the task's, a channel's the channel's;
 * a callback id carries its partition, so that nobody has to look for it.
 */
import { hash } from 'node:crypto';
import { parseChannel } from '../../../protocol/channels.js';

const MAX_KNOWN = 10_000;

export class Partitions {
  readonly all: readonly number[];
  /** What was lately asked for; emptied when it is full. */
  private readonly known = new Map<string, number>();

  constructor(readonly count: number) {
    this.all = Array.from({ length: count }, (_, index) => index);
  }

  /** Of a user, a task, a message id: whatever is a name. */
  of(name: string): number {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const partition = Number.parseInt(hash('sha1', name, 'hex').slice(0, 8), 16) % this.count;
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    this.known.set(name, partition);
    return partition;
  }

  ofChannel(channel: string): number {
    const parsed = parseChannel(channel);
    switch (parsed.kind) {
      case 'user':
        return this.of(parsed.userId);
      case 'task':
        return this.of(parsed.taskId);
      case 'broadcast':
      case 'named':
        return this.of(channel);
      default:
        return parsed satisfies never;
    }
  }

  /** The id under which a proposed one is stored; one that is stored already stays as it is. */
  callbackId(proposed: string, userId: string): string {
    const partition = this.of(userId);
    return this.ofCallback(proposed) === partition ? proposed : `${partition}.${proposed}`;
  }

  /** `undefined`: no id of ours. */
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
