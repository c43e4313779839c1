/** Users whose tokens are invalid if they were issued before a moment. */
import type { Revocations } from '../../revocations.js';
import type { EventStreams } from '../cluster/event-streams.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { REVIEW, REVOKE, REVOKED_AT } from '../scripts/revocation.js';

export class RedisRevocations implements Revocations {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly partitions: Partitions,
    private readonly streams: EventStreams,
  ) {}

  async revoke(userId: string): Promise<number> {
    const partition = this.partitions.of(userId);
    const { revokedAt, newestEvent } = await this.runner.run(REVOKE, partition, { user: userId });
    await this.streams.emitted(partition, newestEvent);
    return revokedAt;
  }

  async review(userId: string): Promise<void> {
    const partition = this.partitions.of(userId);
    await this.streams.emitted(partition, await this.runner.run(REVIEW, partition, { user: userId }));
  }

  revokedAt(userId: string): Promise<number | undefined> {
    return this.runner.run(REVOKED_AT, this.partitions.of(userId), { user: userId });
  }
}
