/** Confirmations: each call is one script in the user's partition. Its event is emitted here before the call resolves. */
import { canonicalize } from '../../../../protocol/canonical-json.js';
import { ConfirmationConflictError, EngineUnavailableError, TooManyPendingError } from '../../../notification.errors.js';
import { delay, monotonicMs } from '../../../pacing/time-source.js';
import type * as Api from '../../confirmation-store.js';
import { warningAfter, type Arrival, type DismissRefusal } from '../../deadlines.js';
import type { Page } from '../../page.js';
import type { Scope } from '../../scope.js';
import { OWN_CODE_VIA } from '../../via.js';
import type { Deliveries } from '../cluster/deliveries.js';
import type { EventStreams } from '../cluster/event-streams.js';
import type { PartitionClocks } from '../cluster/partition-clock.js';
import type { SweepTimer } from '../cluster/sweep-timer.js';
import type { ScriptRunner } from '../connection/script-runner.js';
import type { Partitions } from '../partitions.js';
import { READING_LEASE_MS } from '../reading-lease.js';
import { DECIDE, DISMISS, GET, MARK_SEEN, OPEN, PENDING_IDS, WITHDRAW } from '../scripts/confirmation.js';
import type { ConfirmationLists } from './confirmation-lists.js';
import type { RedisTasks } from './tasks.js';
import type { RedisEvents } from './webhook-events.js';

/** Beyond the lease of a reading mark, for the last sweep. */
const GRACE_MS = 2000;

export interface ConfirmationParts {
  readonly maxPendingPerUser: number | undefined;
  readonly runner: ScriptRunner;
  readonly partitions: Partitions;
  readonly clocks: PartitionClocks;
  readonly streams: EventStreams;
  readonly deliveries: Deliveries;
  readonly timer: SweepTimer;
  readonly tasks: RedisTasks;
  readonly events: Pick<RedisEvents, 'ripen'>;
  readonly lists: ConfirmationLists;
}

type DecisionReply = ReturnType<(typeof DECIDE)['decode']>;

export class RedisConfirmations implements Api.ConfirmationStore {
  constructor(private readonly parts: ConfirmationParts) {}

  async open(request: Api.OpenRequest): Promise<Api.OpenResult> {
    const { runner, partitions, timer, deliveries, streams, tasks, events, maxPendingPerUser } = this.parts;
    const { userId, taskId, step, prompt, timeoutMs, onTimeout, onTimeoutBy, key, fingerprint } = request;
    const partition = partitions.of(userId);
    // A cancellation from here on leaves its mark in the user's partition, where the script finds it.
    const { task, version, cancelledBy, cancelledVia } = await tasks.use(taskId, userId, partition);
    const { status, record, newestEvent } = await runner.run(OPEN, partition, {
      id: partitions.callbackId(request.callbackId, userId),
      user: userId,
      task: taskId,
      step,
      prompt,
      timeout: timeoutMs,
      onTimeout,
      onTimeoutBy,
      key,
      fingerprint,
      taskVersion: version,
      cancelled: task?.cancelled === true,
      cancelledBy,
      reason: task?.reason,
      cancelledVia,
      maxPending: maxPendingPerUser,
    });
    if (status === 'crowded') throw new TooManyPendingError(maxPendingPerUser ?? 0);
    if (status === 'conflict') throw new ConfirmationConflictError(key ?? '');
    if (!record || newestEvent === undefined) throw new EngineUnavailableError('Redis opened a confirmation and gave none');
    const created = status === 'created';
    if (created && record.state === 'pending') {
      deliveries.opened(record);
      if (timeoutMs !== null) timer.expect(partition, record.createdAt + warningAfter(timeoutMs));
    }
    await streams.emitted(partition, newestEvent);
    if (created) events.ripen(partition);
    return { created, confirmation: record };
  }

  decide(request: Api.DecideRequest): Promise<Api.DecideResult> {
    const { callbackId, scope, answeredBy, via = OWN_CODE_VIA, answer, arrival } = request;
    const { proceed, feedback, choice } = answer;
    const [values, edited] = [answer.values, answer.edited].map((value) => canonicalize(value));
    return this.untilDecided(callbackId, arrival, (partition, arrived) =>
      this.parts.runner.run(DECIDE, partition, {
        id: callbackId,
        scope,
        answeredBy,
        proceed,
        feedback,
        choice,
        values,
        edited,
        via,
        arrived,
      }),
    );
  }

  withdraw(request: Api.WithdrawRequest): Promise<Api.DecideResult> {
    const { callbackId, openedFor, scope, reason, via = OWN_CODE_VIA, arrival } = request;
    const { partitions, runner } = this.parts;
    const id = openedFor === undefined ? callbackId : partitions.callbackId(callbackId, openedFor);
    return this.untilDecided(id, arrival, (partition, arrived) =>
      runner.run(WITHDRAW, partition, { id, scope, reason, via, arrived }),
    );
  }

  async markSeen(callbackId: string, scope: Scope): Promise<Api.Confirmation | undefined> {
    const { runner, partitions } = this.parts;
    const partition = partitions.ofCallback(callbackId);
    if (partition === undefined) return undefined;
    const { record, newestEvent } = await runner.run(MARK_SEEN, partition, { id: callbackId, scope });
    await this.decisionEmitted(partition, record, newestEvent);
    return record;
  }

  async dismiss({ callbackId, scope, until }: Api.DismissRequest): Promise<Api.DismissResult> {
    const { runner, partitions, deliveries } = this.parts;
    const partition = partitions.ofCallback(callbackId);
    if (partition === undefined) return { status: 'not_found' };
    const { status, record, newestEvent } = await runner.run(DISMISS, partition, { id: callbackId, scope, hiddenUntil: until });
    if (!record) return { status: status as DismissRefusal | 'not_found' };
    await this.decisionEmitted(partition, record, newestEvent);
    if (status === 'dismissed') deliveries.dismissed(record);
    return { status: status as 'dismissed' | 'already_resolved', confirmation: record };
  }

  /** A decided record is returned only after its decision has been emitted on this node. */
  private async decisionEmitted(
    partition: number,
    record: Api.Confirmation | undefined,
    newestEvent: number | undefined,
  ): Promise<void> {
    if (record && record.state !== 'pending' && newestEvent !== undefined)
      await this.parts.streams.emitted(partition, newestEvent);
  }

  async get(callbackId: string): Promise<Api.Confirmation | undefined> {
    const { runner, partitions, streams } = this.parts;
    const partition = partitions.ofCallback(callbackId);
    if (partition === undefined) return undefined;
    const { record, newestEvent } = await runner.run(GET, partition, { id: callbackId });
    if (record && record.state !== 'pending') await streams.emitted(partition, newestEvent);
    return record;
  }

  list(query: Api.ConfirmationQuery): Promise<Page<Api.Confirmation>> {
    return this.parts.lists.page(query);
  }

  /** The callback ids of a user's pending confirmations, oldest first. */
  pendingIds(userId: string): Promise<string[]> {
    const { runner, partitions } = this.parts;
    return runner.run(PENDING_IDS, partitions.of(userId), { user: userId });
  }

  /**
   * Repeats a decision that came late until the deadline may be applied: at most until the leases of the nodes that stand still
   * have ended.
   */
  private async untilDecided(
    callbackId: string,
    arrival: Arrival | undefined,
    run: (partition: number, arrived: number | undefined) => Promise<DecisionReply>,
  ): Promise<Api.DecideResult> {
    const { partitions, clocks, streams, timer } = this.parts;
    const partition = partitions.ofCallback(callbackId);
    if (partition === undefined) return { status: 'not_found' };
    const arrived = clocks.arrivedAt(partition, arrival);
    const giveUpAt = monotonicMs() + READING_LEASE_MS + GRACE_MS;
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 200)) {
      // Only the reply says that Redis has the answer: on another connection a sweep might overtake it.
      const { status, record, newestEvent } = await run(partition, arrived);
      arrival?.handedOver();
      if (status === 'not_found') return { status };
      if (typeof record === 'object' && newestEvent !== undefined) {
        await streams.emitted(partition, newestEvent);
        return { status: status as 'accepted' | 'repeated' | 'already_resolved', confirmation: record };
      }
      if (typeof record !== 'number') throw new EngineUnavailableError('Redis decided a confirmation and gave none');
      if (monotonicMs() > giveUpAt) throw new EngineUnavailableError('a node does not say how far it has read');
      await timer.sweepAfterReading(partition, record);
      await delay(waitMs);
    }
  }
}
