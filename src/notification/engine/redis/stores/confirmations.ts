/** Confirmations: each call is one script in the user's partition. Its event is emitted here before the call resolves. */
import { canonicalize } from '../../../../protocol/canonical-json.js';
import { ConfirmationConflictError, EngineUnavailableError, TooManyPendingError } from '../../../notification.errors.js';
import type { Arrival } from '../../deadlines.js';
import type * as Api from '../../engine.js';
import { checkCursor } from '../../page.js';
import { OWN_CODE_VIA } from '../../via.js';
import type { Context } from '../context.js';
import { isDecided, list, maybe, orderOf, text, toConfirmation, type Reply } from '../reply-decoder.js';
import { DECIDE, GET, LIST, OPEN, PENDING_IDS, WITHDRAW } from '../scripts/confirmation.js';
import { READING_LEASE_MS } from '../scripts/deadlines.js';
import { optional, scopeText } from '../scripts/script.js';
import type { RedisTasks } from './tasks.js';
import type { RedisEvents } from './webhook-events.js';
import { delay, monotonicMs } from '../../../pacing/time-source.js';

/** Beyond the lease, for the last look. */
const GRACE_MS = 2000;

interface Source {
  partition: number;
  list: 'all' | 'user' | 'task';
  subject: string;
}

/** An order and a partition. */
const CURSOR = /^\d{1,17}\.\d{1,5}$/;

export class RedisConfirmations implements Api.ConfirmationStore {
  constructor(
    private readonly context: Context,
    private readonly tasks: RedisTasks,
    private readonly events: Pick<RedisEvents, 'ripen'>,
  ) {}

  async open(request: Api.OpenRequest): Promise<Api.OpenResult> {
    const { partitions, ticker, deliveries, settings } = this.context;
    const { maxPendingPerUser } = settings;
    const { userId, taskId, step, prompt, timeoutMs, onTimeout, onTimeoutBy, key, fingerprint } = request;
    const partition = partitions.of(userId);
    // A cancellation from here on leaves its mark in the user's partition, where the script looks.
    const { task, version, cancelledBy, cancelledVia } = await this.tasks.use(taskId, userId, partition);
    const reply = list(
      await this.context.run(
        OPEN,
        partition,
        partitions.callbackId(request.callbackId, userId),
        userId,
        taskId,
        step,
        JSON.stringify(prompt),
        optional(timeoutMs === null ? null : String(timeoutMs)),
        onTimeout,
        onTimeoutBy,
        optional(key),
        optional(fingerprint),
        version,
        task?.cancelled ? '1' : '',
        optional(cancelledBy),
        optional(task?.reason),
        optional(cancelledVia),
        maxPendingPerUser ?? '',
      ),
    );
    if (reply[0] === 'crowded') throw new TooManyPendingError(maxPendingPerUser ?? 0);
    if (reply[0] === 'conflict') throw new ConfirmationConflictError(key ?? '');
    const created = reply[0] === 'created';
    const confirmation = toConfirmation(reply[1]);
    if (created && confirmation.state === 'pending') {
      deliveries.opened(confirmation);
      if (timeoutMs !== null) ticker.expect(partition, confirmation.createdAt + Math.floor(timeoutMs * 0.8));
    }
    await this.context.told(partition, reply[2]);
    if (created) this.events.ripen(partition);
    return { created, confirmation };
  }

  async decide(request: Api.DecideRequest): Promise<Api.DecideResult> {
    const { callbackId, scope, answeredBy, via = OWN_CODE_VIA, answer, arrival } = request;
    const { proceed, feedback, choice, values } = answer;
    return this.settle(
      callbackId,
      arrival,
      DECIDE,
      scopeText(scope),
      optional(answeredBy),
      proceed ? '1' : '0',
      optional(feedback),
      optional(choice),
      optional(values && canonicalize(values)),
      via,
    );
  }

  withdraw({ callbackId, scope, reason, via = OWN_CODE_VIA, arrival }: Api.WithdrawRequest): Promise<Api.DecideResult> {
    return this.settle(callbackId, arrival, WITHDRAW, scopeText(scope), optional(reason), via);
  }

  async get(callbackId: string): Promise<Api.Confirmation | undefined> {
    const partition = this.context.partitions.ofCallback(callbackId);
    if (partition === undefined) return undefined;
    const [record, fed] = list(await this.context.run(GET, partition, callbackId));
    const confirmation = Array.isArray(record) ? toConfirmation(record) : undefined;
    if (confirmation && confirmation.state !== 'pending') await this.context.told(partition, fed);
    return confirmation;
  }

  async pendingIds(userId: string): Promise<string[]> {
    return list(await this.context.run(PENDING_IDS, this.context.partitions.of(userId), userId)).map(text);
  }

  /** The cursor is the last prompt's place: its order and, for the same microsecond, its partition. */
  async list({ scope, taskId, state, limit, cursor }: Api.ConfirmationQuery): Promise<Api.Page<Api.Confirmation>> {
    checkCursor(cursor, CURSOR);
    const [order = '0', last = '-1'] = cursor?.split('.') ?? [];
    const pages = await Promise.all(
      this.sourcesOf(scope, taskId).map(async (source) => {
        const from = source.partition > Number(last) ? order : `(${order}`;
        const records = await this.read(source, from, limit + 1, scope, taskId, state);
        return records.map((record) => ({ record, order: orderOf(record), partition: source.partition }));
      }),
    );
    const found = pages.flat().sort((a, b) => a.order - b.order || a.partition - b.partition);
    const page = found.slice(0, limit);
    const end = page.at(-1);
    return {
      items: page.map(({ record }) => toConfirmation(record)),
      ...(found.length > limit && end && { cursor: `${end.order}.${end.partition}` }),
    };
  }

  /** The pending prompts of a user, or of all, that were opened after a moment by Redis' clock. */
  async openedAfter(moment: number, userId?: string): Promise<Api.Confirmation[]> {
    const scope = userId === undefined ? 'all' : [userId];
    const pages = await Promise.all(
      this.sourcesOf(scope, undefined).map((source) =>
        this.read(source, String(moment * 1000), Infinity, scope, undefined, 'pending'),
      ),
    );
    return pages.flat().map(toConfirmation);
  }

  /** What comes late waits until the deadline may be applied: at most until the leases of those that stand still have ended. */
  private async settle(
    callbackId: string,
    arrival: Arrival | undefined,
    ...[script, ...args]: [typeof DECIDE, ...string[]]
  ): Promise<Api.DecideResult> {
    const { partitions, ticker } = this.context;
    const partition = partitions.ofCallback(callbackId);
    if (partition === undefined) return { status: 'not_found' };
    const arrived = this.context.arrivedAt(partition, arrival);
    const giveUpAt = monotonicMs() + READING_LEASE_MS + GRACE_MS;
    for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 200)) {
      // Only a reply says that Redis has it: on another connection a tick might overtake it.
      const reply = await this.context.run(script, partition, callbackId, ...args, arrived);
      arrival?.handedOver();
      const [status, record, fed] = list(reply);
      if (status === 'not_found') return { status };
      if (status !== 'waits') {
        await this.context.told(partition, fed);
        return { status: text(status) as 'accepted' | 'repeated' | 'already_resolved', confirmation: toConfirmation(record) };
      }
      if (monotonicMs() > giveUpAt) throw new EngineUnavailableError('a node does not say how far it has read');
      await ticker.lookAfter(partition, Number(text(record)));
      await delay(waitMs);
    }
  }

  private sourcesOf(scope: Api.Scope, taskId: string | undefined): Source[] {
    const { partitions } = this.context;
    if (scope === 'all')
      return partitions.all.map((partition) => ({
        partition,
        list: taskId === undefined ? 'all' : 'task',
        subject: taskId ?? '',
      }));
    if (taskId === undefined)
      return [...new Set(scope)].map((userId) => ({ partition: partitions.of(userId), list: 'user', subject: userId }));
    return [...new Set(scope.map((userId) => partitions.of(userId)))].map((partition) => ({
      partition,
      list: 'task',
      subject: taskId,
    }));
  }

  private async read(
    { partition, list: kind, subject }: Source,
    start: string,
    limit: number,
    scope: Api.Scope,
    taskId: string | undefined,
    state: Api.ConfirmationQuery['state'],
  ): Promise<Reply[]> {
    const found: Reply[] = [];
    const pending = state === 'pending' ? '1' : '';
    for (let from: string | undefined = start; from !== undefined && found.length < limit;) {
      const left = Math.min(limit - found.length, 500);
      const [records, next, fed] = list(
        await this.context.run(
          LIST,
          partition,
          kind,
          subject,
          pending,
          from,
          left,
          optional(taskId),
          optional(state),
          scopeText(scope),
        ),
      );
      found.push(...list(records));
      from = maybe(next);
      await this.context.told(partition, fed, list(records).some(isDecided));
    }
    return found;
  }
}
