/**
 * The embedded engine: SQLite in a worker thread, this process as the only node.
 *
 *  - All state is in the store; this thread keeps only who is connected, one timer, and what is under way, so that
 *    a million pending prompts cost it nothing and a slow disk does not stall it.
 *  - `StoreClient` gives E1 and E4, the store's transactions E2 and E3.
 *  - `ToldDecisions` gives E5.
 */
import { canonicalize } from '../../../protocol/canonical-json.js';
import { parseChannel } from '../../../protocol/channels.js';
import { EngineUnavailableError } from '../../notification.errors.js';
import { NOTHING_TO_READ, type Arrival, type EngineReading } from '../deadlines.js';
import type * as Api from '../engine.js';
import { checkCursor } from '../cursor.js';
import { OWN_CODE_VIA } from '../via.js';
import { DeadlineTimer } from './deadline-timer.js';
import type { Fault } from './faulty-sqlite.js';
import type { StoreEvent } from './unit-of-work.js';
import { RESERVE_BYTES, type EmbeddedEngineOptions } from './embedded-options.js';
import { LocalPresence } from './local-presence.js';
import { toConfirmation, toDecideResult, toNotice, toPage, toTask, type DecideRecord, type TaskRecord } from './rows.js';
import { StoreClient } from './store-client.js';
import type { Opened } from './store-protocol.js';
import { ToldDecisions } from './decision-cursor.js';
import { clearInterval, monotonicMs, setInterval } from '../../pacing/time-source.js';

/** The number of a row. */
const CURSOR = /^\d{1,15}$/;
const ANSWER_WITHIN_MS = 2000;
const TOLD_EVERY_MS = 1000;
/** How often it is looked for notices that have come due. */
const NOTICES_EVERY_MS = 1000;
const PURGE_EVERY_MS = { shortest: 50, longest: 30_000 };

export class EmbeddedEngine implements Api.Engine {
  readonly name = 'embedded';
  private readonly store: StoreClient;
  private readonly told: ToldDecisions;
  private readonly presences: LocalPresence;
  private readonly reading: EngineReading;
  private readonly deadlines = new DeadlineTimer((moment) => this.onDue(moment));
  private applying = false;
  private readonly logger: NonNullable<EmbeddedEngineOptions['logger']>;
  private readonly purgeEveryMs: number;
  private readonly keepsNotices: boolean;
  /** Readings of positions that are under way, by channel. */
  private readonly positions = new Map<string, Promise<Api.StreamPosition>>();
  private handler: Api.EngineHandler | undefined;
  private closing: Promise<void> | undefined;
  private timers: NodeJS.Timeout[] = [];
  /** Deadlines that passed while nothing ran were too many for the start: they are applied once listeners are in place. */
  private holdsDeadlines = false;

  constructor(options: EmbeddedEngineOptions) {
    const { dataDir, settings, logger, reading = NOTHING_TO_READ, reserveBytes = RESERVE_BYTES, faults = false } = options;
    this.reading = reading;
    const { retentionMs, historySize, historyTtlMs, maxConnectionsPerUser, maxPendingPerUser, notices = [] } = settings;
    this.keepsNotices = notices.length > 0;
    this.logger = logger ?? { warn: () => undefined, error: () => undefined };
    this.presences = new LocalPresence(maxConnectionsPerUser);
    this.purgeEveryMs = Math.min(
      Math.max(Math.min(retentionMs, historyTtlMs) / 4, PURGE_EVERY_MS.shortest),
      PURGE_EVERY_MS.longest,
    );
    this.store = new StoreClient(
      {
        dataDir,
        settings: { retentionMs, historySize, historyTtlMs, maxConnectionsPerUser, maxPendingPerUser, notices },
        reserveBytes,
        faults,
      },
      reading,
      {
        onEvent: (event) => this.emit(event),
        onNextDue: (moment) => this.holdsDeadlines || this.deadlines.arm(moment),
        onHealed: (opened) => this.onHealed(opened),
        warn: (message) => this.logger.warn(message),
        error: (message) => this.logger.error(message),
      },
    );
    this.told = new ToldDecisions(this.store, (record) => this.heard((handler) => handler.onDecided(toConfirmation(record))));
  }

  /* ---- life ---- */

  async start(handler: Api.EngineHandler): Promise<void> {
    this.handler = handler;
    const opened = await this.store.start();
    this.told.begin(opened);
    this.holdsDeadlines = opened.overdue;
    if (!opened.overdue) this.deadlines.arm(opened.nextDue);
    this.timers = [
      setInterval(() => this.quietly('noting what was told', this.told.note()), TOLD_EVERY_MS),
      setInterval(() => this.quietly('purging', this.purge()), this.purgeEveryMs),
    ];
    if (this.keepsNotices)
      this.timers.push(
        setInterval(
          () => this.quietly('looking for notices', this.lookForNotices()),
          Math.min(this.purgeEveryMs, NOTICES_EVERY_MS),
        ),
      );
    for (const timer of this.timers) timer.unref();
  }

  async replayDecisions(): Promise<void> {
    await this.told.replay();
    this.holdsDeadlines = false;
    await this.store.call('due', []);
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.deadlines.stop();
    // In turn: after what is under way, whose decisions are then told as well.
    this.quietly(
      'noting what was told',
      this.store.inTurn(() => this.told.note()),
    );
    await this.store.close();
    this.deadlines.stop();
  }

  async ping(): Promise<void> {
    await this.store.call('ping', [], ANSWER_WITHIN_MS);
  }

  /** For tests, with the option `faults`. */
  inject(fault: Fault): void {
    this.store.inject(fault);
  }

  /* ---- confirmations ---- */

  async open({ prompt, ...request }: Api.OpenRequest): Promise<{ created: boolean; confirmation: Api.Confirmation }> {
    const { created, record } = await this.store.call('open', [{ ...request, prompt: JSON.stringify(prompt) }], ANSWER_WITHIN_MS);
    return { created, confirmation: toConfirmation(record) };
  }

  decide({ callbackId, scope, answeredBy, via = OWN_CODE_VIA, answer, arrival }: Api.DecideRequest): Promise<Api.DecideResult> {
    const { proceed, feedback = null, choice = null, values } = answer;
    const record = { proceed, feedback, choice, values: canonicalize(values) ?? null };
    return this.settle(arrival, (arrivedAt) =>
      this.store.call('decide', [callbackId, scope, answeredBy, via, record, arrivedAt]),
    );
  }

  withdraw(
    callbackId: string,
    scope: Api.Scope,
    reason?: string,
    via = OWN_CODE_VIA,
    arrival?: Arrival,
  ): Promise<Api.DecideResult> {
    return this.settle(arrival, (arrivedAt) => this.store.call('withdraw', [callbackId, scope, reason ?? null, via, arrivedAt]));
  }

  /** What comes late waits until the deadline may be applied. */
  private async settle(
    arrival: Arrival | undefined,
    call: (arrivedAt: number) => Promise<DecideRecord>,
  ): Promise<Api.DecideResult> {
    const arrivedAt = arrival?.earliest ?? monotonicMs();
    for (;;) {
      const calling = call(arrivedAt);
      // Calls keep their order: no later call can apply the deadline before this one is carried out.
      arrival?.handedOver();
      const result = await calling;
      if (result.status !== 'waits') return toDecideResult(result);
      await this.reading.reach(result.until);
      this.checkOpen();
    }
  }

  async get(callbackId: string): Promise<Api.Confirmation | undefined> {
    const record = await this.store.call('get', [callbackId]);
    return record && toConfirmation(record);
  }

  async list(query: Api.ConfirmationQuery): Promise<Api.Page<Api.Confirmation>> {
    checkCursor(query.cursor, CURSOR);
    return toPage(await this.store.call('list', [query]));
  }

  /* ---- tasks ---- */

  async claimTask(taskId: string, userId: string): Promise<Api.Task> {
    return toTask(await this.store.call('claimTask', [taskId, userId]));
  }

  async cancelTask({ arrival, ...request }: Api.CancelRequest): Promise<Api.CancelResult> {
    const cancelling = this.store.call('cancelTask', [request, arrival?.earliest ?? monotonicMs()]);
    arrival?.handedOver();
    const result = await cancelling;
    return result
      ? { status: result.before ? 'already_cancelled' : 'cancelled', task: toTask(result.task) }
      : { status: 'not_found' };
  }

  async resumeTask(taskId: string): Promise<Api.ResumeResult> {
    const result = await this.store.call('resumeTask', [taskId]);
    return result ? { status: result.resumed ? 'resumed' : 'not_cancelled', task: toTask(result.task) } : { status: 'not_found' };
  }

  async revokeUser(userId: string): Promise<number> {
    return this.store.call('revokeUser', [userId]);
  }

  async reviewAccess(userId: string): Promise<void> {
    this.checkOpen();
    this.heard((handler) => handler.onReview(userId));
  }

  async revokedAt(userId: string): Promise<number | undefined> {
    return this.store.call('revokedAt', [userId]);
  }

  async getTask(taskId: string): Promise<Api.Task | undefined> {
    const record = await this.store.call('getTask', [taskId]);
    return record && toTask(record);
  }

  /* ---- messages ---- */

  async publish({ channel, message, recoverable }: Api.PublishRequest): Promise<Api.PublishResult> {
    const parsed = parseChannel(channel);
    const text = JSON.stringify(message);
    let audience: Pick<Api.Publication, 'audienceUserId'> = {};
    const learn = (task: TaskRecord | undefined): void => {
      if (task?.user_id) audience = { audienceUserId: task.user_id };
    };
    const tell = (position?: Api.StreamPosition): Api.PublishResult => {
      const at = position && { position };
      return {
        deliveredTo: this.heard((handler) => handler.onPublication({ channel, text, ...at, ...audience })) ?? 0,
        ...at,
      };
    };
    const learnt = parsed.kind === 'task' && this.store.call('reachTask', [parsed.taskId], ANSWER_WITHIN_MS, learn);
    const published = recoverable ? this.store.call('publish', [channel, text], ANSWER_WITHIN_MS, tell) : this.store.inTurn(tell);
    return (await Promise.all([published, learnt]))[0];
  }

  /**
   * Whoever asks while a reading is under way shares it: thousands ask for `broadcast` when they come back. What is
   * published until the reading's turn is in it, and what comes after is told to all who asked.
   */
  position(channel: string): Promise<Api.StreamPosition> {
    const underWay = this.positions.get(channel);
    if (underWay) return underWay;
    const reading = this.store.call('position', [channel], undefined, (position) => {
      this.positions.delete(channel);
      return position;
    });
    this.positions.set(channel, reading);
    reading.catch(() => this.positions.delete(channel));
    return reading;
  }

  history(request: Api.HistoryRequest): Promise<Api.HistoryResult> {
    return this.store.call('history', [{ ...request, limit: Math.max(1, request.limit) }]);
  }

  sendAcknowledged({ messageId, userId, message, ttlMs }: Api.SendAcknowledgedRequest): Promise<Api.PublishResult> {
    const args = [messageId, userId, JSON.stringify(message), ttlMs] as [string, string, string, number];
    return this.store.call('keep', args, ANSWER_WITHIN_MS, (expiresAt) => {
      if (expiresAt === undefined) return { deliveredTo: 0 };
      const emit = (handler: Api.EngineHandler): number =>
        handler.onAcknowledgedMessage({ messageId, userId, message, expiresAt });
      return { deliveredTo: this.heard(emit) ?? 0 };
    });
  }

  ack(messageId: string, scope: Api.Scope): Promise<Api.AckResult> {
    return this.store.call('ack', [messageId, scope]);
  }

  isAcknowledged(messageId: string): Promise<boolean> {
    return this.store.call('isAcknowledged', [messageId], ANSWER_WITHIN_MS);
  }

  unacknowledged(userId: string, limit: number, cursor?: string): Promise<Api.Page<Api.AcknowledgedMessage>> {
    checkCursor(cursor, CURSOR);
    return this.store.call('unacknowledged', [userId, limit, cursor]);
  }

  waiting(userId: string): Promise<Api.Waiting> {
    return this.store.call('waiting', [userId]);
  }

  /* ---- notices ---- */

  async claimNotices(limit: number, leaseMs: number): Promise<Api.Notice[]> {
    return (await this.store.call('claimNotices', [limit, leaseMs])).map(toNotice);
  }

  completeNotice({ id }: Api.Notice): Promise<boolean> {
    return this.store.call('completeNotice', [id]);
  }

  postponeNotice({ id, attempt }: Api.Notice, delayMs: number): Promise<boolean> {
    return this.store.call('postponeNotice', [id, attempt, delayMs]);
  }

  noticeCounts(): Promise<Api.NoticeCounts> {
    return this.store.call('noticeCounts', []);
  }

  /* ---- presence: there is one node, and every event reaches it ---- */

  async watch(): Promise<void> {
    this.checkOpen();
  }

  async unwatch(): Promise<void> {}

  async connect(connectionId: string, userId: string): Promise<void> {
    this.checkOpen();
    for (const evicted of this.presences.add(connectionId, userId)) this.heard((handler) => handler.onEvicted(evicted));
  }

  /** Also after `close`: there is nothing it could fail at. */
  async disconnect(connectionId: string, userId: string): Promise<void> {
    this.presences.remove(connectionId, userId);
  }

  async describe(connectionId: string, userId: string, device: Omit<Api.Device, 'node'>): Promise<void> {
    this.checkOpen();
    this.presences.describe(connectionId, userId, device);
  }

  async devices(userId: string): Promise<Api.Device[]> {
    this.checkOpen();
    return this.presences.devices(userId);
  }

  async presence(userId: string): Promise<Api.Presence> {
    this.checkOpen();
    return { connections: this.presences.count(userId) };
  }

  async cluster(localConnections: number): Promise<Api.ClusterStatus> {
    this.checkOpen();
    return { engine: this.name, nodes: 1, activeConnections: localConnections };
  }

  counts(): Promise<Api.Counts> {
    return this.store.call('counts', []);
  }

  /* ---- events ---- */

  private emit(event: StoreEvent): void {
    switch (event.kind) {
      case 'opened':
        this.heard((handler) => handler.onOpened(toConfirmation(event.record)));
        return this.tellOfNotices();
      case 'expiring':
        this.heard((handler) => handler.onExpiring(toConfirmation(event.record)));
        return this.tellOfNotices();
      case 'decided':
        this.told.hear(event.record);
        this.heard((handler) => handler.onDecided(toConfirmation(event.record)));
        return this.tellOfNotices();
      case 'task':
        this.heard((handler) => handler.onTask(event.task));
        return this.tellOfNotices();
      case 'dropped':
        return this.heard((handler) => handler.onNoticesDropped(event.count));
      case 'revoked':
        return this.heard((handler) => handler.onRevoked(event.userId));
      case 'acknowledged':
        return this.heard((handler) => handler.onAcknowledged(event.messageId, event.userId));
      default:
        return event satisfies never;
    }
  }

  private tellOfNotices(): void {
    if (this.keepsNotices) this.heard((handler) => handler.onNotices());
  }

  /** A handler must not throw; one that does must not keep the others' events from being told. */
  private heard<Result>(tell: (handler: Api.EngineHandler) => Result): Result | undefined {
    try {
      return this.handler && tell(this.handler);
    } catch (error) {
      this.logger.error(`the handler of an event failed: ${String(error)}`);
      return undefined;
    }
  }

  private onHealed(opened: Opened): void {
    if (!this.holdsDeadlines) this.deadlines.arm(opened.nextDue);
    this.heard((handler) => handler.onGap());
    this.quietly('telling what was decided meanwhile', this.told.heal(opened));
  }

  /* ---- timers ---- */

  private onDue(moment: number): void {
    if (this.applying) return;
    this.applying = true;
    // The outcome of `due` arms the timer again.
    const applied = this.reading.reach(moment).then(() => this.store.call('due', []));
    this.quietly(
      'applying deadlines',
      applied.finally(() => (this.applying = false)),
    );
  }

  private async purge(): Promise<void> {
    while (!this.closing && (await this.store.call('purge', []))) continue;
  }

  private async lookForNotices(): Promise<void> {
    if (await this.store.call('noticesDue', [])) this.tellOfNotices();
  }

  /** For what nobody waits for: it is tried again anyway, and said when it failed. */
  private quietly(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof EngineUnavailableError && this.closing)) this.logger.warn(`${what} failed: ${String(error)}`);
    });
  }

  private checkOpen(): void {
    if (this.closing) throw new EngineUnavailableError('the engine is closed');
  }
}
