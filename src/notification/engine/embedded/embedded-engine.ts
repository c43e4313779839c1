/**
 * The embedded engine: SQLite in a worker thread, this process as the only node.
 *
 *  - The store holds all state. This thread holds only the connected users, one timer, and the calls under way, so that
 *    a million pending confirmations cost it nothing and a slow disk does not stall it.
 *  - `StoreClient` gives E1 and E4, the store's transactions give E2 and E3, `DecisionCursor` gives E5.
 */
import { EngineUnavailableError } from '../../notification.errors.js';
import { SingleFlight } from '../../pacing/single-flight.js';
import { systemClock, type Clock, type ClockTimer } from '../../pacing/clock.js';
import { NOTHING_TO_READ, type EngineReading } from '../deadlines.js';
import { Emitter, type EngineLogger } from '../emitter.js';
import type { ClusterStatus, Counts, Decided, Engine, EngineHandler, NodeReport, Waiting } from '../engine.js';
import { DeadlineTimer } from './deadline-timer.js';
import { DecisionCursor } from './decision-cursor.js';
import { RESERVE_BYTES, type EmbeddedEngineOptions } from './embedded-options.js';
import { LocalBroker } from './local-broker.js';
import { LocalPresence } from './local-presence.js';
import { toConfirmation, toDecided, type DecisionRow } from './rows.js';
import { StoreClient } from './store-client.js';
import type { Opened } from './store-protocol.js';
import { StoredConfirmations } from './stored-confirmations.js';
import { StoredEvents } from './stored-events.js';
import { StoredRevocations } from './stored-revocations.js';
import { StoredTasks } from './stored-tasks.js';
import type { StoreEvent } from './unit-of-work.js';
import { WaitingReader } from './waiting-reader.js';

const NOTE_CURSOR_EVERY_MS = 1000;
/** How often the store is asked for webhook events whose delay or lease has ended. */
const CHECK_EVENTS_EVERY_MS = 1000;
const PURGE_EVERY_MS = { shortest: 50, longest: 30_000 };

export class EmbeddedEngine implements Engine {
  readonly name = 'embedded';
  readonly confirmations: StoredConfirmations;
  readonly tasks: StoredTasks;
  readonly broker: LocalBroker;
  readonly presence: LocalPresence;
  readonly revocations: StoredRevocations;
  readonly events: StoredEvents;
  private readonly client: StoreClient;
  private readonly cursor: DecisionCursor;
  private readonly connecting: WaitingReader;
  private readonly emitter: Emitter;
  private readonly reading: EngineReading;
  private readonly deadlines: DeadlineTimer;
  private readonly clock: Clock;
  private readonly logger: EngineLogger;
  private readonly purgeEveryMs: number;
  private readonly hasWebhook: boolean;
  private applying = false;
  private closing: Promise<void> | undefined;
  private readonly timers: ClockTimer[] = [];
  /** More deadlines passed while nothing ran than the start could apply. They wait until all listeners exist. */
  private holdsDeadlines = false;

  constructor(options: EmbeddedEngineOptions) {
    const {
      dataDir,
      settings,
      logger,
      reading = NOTHING_TO_READ,
      reserveBytes = RESERVE_BYTES,
      newWorker,
      gatherMs,
      clock = systemClock,
    } = options;
    this.clock = clock;
    this.deadlines = new DeadlineTimer((moment) => this.onDue(moment), clock);
    const { retentionMs, historySize, historyTtlMs, maxConnectionsPerUser, maxPendingPerUser, webhookEvents = [] } = settings;
    this.reading = reading;
    this.hasWebhook = webhookEvents.length > 0;
    this.logger = logger ?? { warn: () => undefined, error: () => undefined };
    this.emitter = new Emitter(this.logger);
    this.purgeEveryMs = Math.min(
      Math.max(Math.min(retentionMs, historyTtlMs) / 4, PURGE_EVERY_MS.shortest),
      PURGE_EVERY_MS.longest,
    );
    this.client = new StoreClient(
      {
        dataDir,
        settings: { retentionMs, historySize, historyTtlMs, maxConnectionsPerUser, maxPendingPerUser, webhookEvents },
        reserveBytes,
      },
      reading,
      {
        onEvent: (event) => this.emit(event),
        onNextDue: (moment) => this.holdsDeadlines || this.deadlines.arm(moment),
        onHealed: (opened) => this.onHealed(opened),
        warn: (message) => this.logger.warn(message),
        error: (message) => this.logger.error(message),
      },
      newWorker,
      gatherMs,
    );
    this.cursor = new DecisionCursor(this.client, (row) =>
      this.emitter.emit((handler) => handler.onDecided(toDecided(row, row), true)),
    );
    this.confirmations = new StoredConfirmations(this.client, reading, clock, {
      opened: (confirmation) => {
        this.connecting.changed(confirmation.userId);
        this.emitter.emit((handler) => handler.onOpened(confirmation));
        this.emitWebhookEvents();
      },
      decided: (confirmation, row) => this.decided(confirmation, row),
    });
    this.tasks = new StoredTasks(this.client, clock);
    this.connecting = new WaitingReader((userIds) => this.client.store.waiting(userIds));
    this.broker = new LocalBroker(this.client, this.emitter, (userId) => this.connecting.changed(userId));
    this.presence = new LocalPresence(maxConnectionsPerUser, this.emitter, () => this.client.checkOpen());
    this.revocations = new StoredRevocations(this.client, this.emitter);
    this.events = new StoredEvents(this.client);
  }

  async start(handler: EngineHandler): Promise<void> {
    this.emitter.attach(handler);
    const opened = await this.client.start();
    this.quietly('reading the revocations', this.revocations.load());
    this.cursor.begin(opened);
    this.holdsDeadlines = opened.overdue;
    if (!opened.overdue) this.deadlines.arm(opened.nextDue);
    this.every(NOTE_CURSOR_EVERY_MS, 'storing the decision cursor', () => this.cursor.note());
    this.every(this.purgeEveryMs, 'purging', () => this.purge());
    if (this.hasWebhook)
      this.every(Math.min(this.purgeEveryMs, CHECK_EVENTS_EVERY_MS), 'checking for webhook events', () => this.checkEvents());
  }

  async replayDecisions(): Promise<void> {
    await this.cursor.replay();
    this.holdsDeadlines = false;
    await this.client.store.due();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  ping(): Promise<void> {
    return this.client.store.ping();
  }

  waiting(userId: string): Promise<Waiting> {
    return this.connecting.of(userId);
  }

  counts(agesMs?: readonly number[]): Promise<Counts> {
    return this.client.store.counts(agesMs);
  }

  async cluster(localConnections: number): Promise<ClusterStatus> {
    this.client.checkOpen();
    return { engine: this.name, nodes: 1, activeConnections: localConnections };
  }

  async reports(): Promise<NodeReport[]> {
    this.client.checkOpen();
    const report = await this.emitter.emit((handler) => handler.describeNode());
    return report === undefined ? [] : [{ node: this.name, report }];
  }

  private async end(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    this.connecting.close();
    this.deadlines.stop();
    // After the calls under way, whose decisions are emitted by then.
    this.quietly(
      'storing the decision cursor',
      this.client.inTurn(() => this.cursor.note()),
    );
    await this.client.close();
    this.deadlines.stop();
  }

  private emit(event: StoreEvent): void {
    if ('row' in event) this.connecting.changed(event.row.user_id);
    switch (event.kind) {
      case 'expiring':
        this.emitter.emit((handler) => handler.onExpiring(toConfirmation(event.row)));
        return this.emitWebhookEvents();
      case 'dismissed':
        return this.emitter.emit((handler) => handler.onDismissed(toConfirmation(event.row)));
      case 'decided':
        return this.decided(toDecided(event.row, event.decision), event.decision);
      case 'task':
        this.emitter.emit((handler) => handler.onTask(event.task));
        return this.emitWebhookEvents();
      case 'dropped':
        return this.emitter.emit((handler) => handler.onWebhookEventsDropped(event.count));
      case 'revoked':
        return this.revocations.onRevoked(event.userId, event.revokedAt);
      case 'forgotten':
        this.connecting.clear();
        return this.client.journal.forgetHeads();
      case 'acknowledged':
        this.connecting.changed(event.userId);
        return this.emitter.emit((handler) => handler.onAcknowledged(event.messageId, event.userId));
      default:
        return event satisfies never;
    }
  }

  private decided(confirmation: Decided, row: DecisionRow): void {
    this.cursor.passed(row);
    this.connecting.changed(confirmation.userId);
    this.emitter.emit((handler) => handler.onDecided(confirmation, true));
    this.emitWebhookEvents();
  }

  private emitWebhookEvents(): void {
    if (this.hasWebhook) this.emitter.emit((handler) => handler.onWebhookEvents());
  }

  private onHealed(opened: Opened): void {
    this.connecting.clear();
    this.quietly('reading the revocations', this.revocations.load());
    if (!this.holdsDeadlines) this.deadlines.arm(opened.nextDue);
    this.emitter.emit((handler) => handler.onGap());
    this.quietly('emitting what was decided meanwhile', this.cursor.heal(opened));
  }

  private onDue(moment: number): void {
    if (this.applying) return;
    this.applying = true;
    // The outcome of `due` arms the timer again.
    const applied = this.reading.reach(moment).then(() => this.client.store.due());
    this.quietly(
      'applying deadlines',
      applied.finally(() => (this.applying = false)),
    );
  }

  private async purge(): Promise<void> {
    while (!this.closing && (await this.client.store.purge())) continue;
  }

  private async checkEvents(): Promise<void> {
    if (await this.client.store.hasDueEvents()) this.emitWebhookEvents();
  }

  /** A turn that comes while the work of an earlier one is under way is left out. */
  private every(periodMs: number, what: string, work: () => Promise<void>): void {
    const flight = new SingleFlight(work);
    const turn = (): void => {
      if (!flight.isRunning) this.quietly(what, flight.run());
    };
    this.timers.push(this.clock.every(periodMs, turn));
  }

  /** For work without a caller. It is repeated anyway; a failure is logged. */
  private quietly(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof EngineUnavailableError && this.closing)) this.emitter.report(what, error);
    });
  }
}
