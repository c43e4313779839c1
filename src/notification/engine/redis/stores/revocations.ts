/** Users whose tokens are invalid if they were issued before a moment. */
import type { Revocations } from '../../revocations.js';
import type { Context } from '../context.js';
import { list, maybe, text } from '../reply-decoder.js';
import { REVIEW, REVOKE, REVOKED_AT } from '../scripts/revocation.js';

export class RedisRevocations implements Revocations {
  constructor(private readonly context: Context) {}

  async revoke(userId: string): Promise<number> {
    const partition = this.context.partitions.of(userId);
    const [moment, fed] = list(await this.context.run(REVOKE, partition, userId));
    await this.context.told(partition, fed);
    return Number(text(moment));
  }

  async review(userId: string): Promise<void> {
    const partition = this.context.partitions.of(userId);
    await this.context.told(partition, text(await this.context.run(REVIEW, partition, userId)));
  }

  async revokedAt(userId: string): Promise<number | undefined> {
    const moment = maybe(await this.context.run(REVOKED_AT, this.context.partitions.of(userId), userId));
    return moment === undefined ? undefined : Number(moment);
  }
}
