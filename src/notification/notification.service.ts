/**
 * `NotificationService`: what back-end code injects. It owns the callback registry (through `Confirmations`) and the
 * user-connection map (through `Hub`), and turns calls into calls of the engine; what comes back arrives through the
 * dispatcher.
 */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Observable } from 'rxjs';
import {
  BROADCAST_CHANNEL,
  LEASE_CHANNEL_PREFIX,
  parseChannel,
  RESERVED_CHANNEL,
  taskChannel,
  userChannel,
} from '../protocol/channels.js';
import { isObject } from '../protocol/decode.js';
import { isIdentifier, VIA_TEXT } from '../protocol/identifier.js';
import type { JsonObject, StepResult } from '../protocol/confirmation.js';
import { CONFLATED_TYPES, isReservedType, RESERVED_FIELDS, type ApplicationMessage } from '../protocol/messages.js';
import { AuditTrail } from './access/audit.js';
import { printable } from './access/printable.js';
import { ListeningAddress, type ListeningAt } from './access/listening-address.js';
import type { GivenAnswer } from './confirmation/answer.js';
import { Acknowledgements } from './subscription/acknowledgements.js';
import { Confirmations, type Answerer } from './confirmation/confirmations.js';
import { identifier, type AskRequest, type NotifyUserOptions } from './confirmation/prepare-request.js';
import type { ConfirmationResult } from './confirmation/presentation.js';
import { Hub } from './connection/hub.js';
import { turnsTaken } from './pacing/write-scheduler.js';
import { Dispatcher, type DecisionEvent } from './dispatcher.js';
import type { Arrival } from './engine/deadlines.js';
import {
  Engine,
  type CancelRequest,
  type ClusterStatus,
  type Confirmation,
  type ConfirmationQuery,
  type Decided,
  type Device,
  type Page,
  type UserPresence,
  type Scope,
  type Task,
} from './engine/engine.js';
import { NotificationMetrics } from './notification.metrics.js';
import { InvalidMessageError, NotFoundError, ServiceClosedError } from './notification.errors.js';
import { ResolvedOptions } from './notification.options.js';
import type { AuditActor } from './access/audit-entry.js';
import { ServerPhase } from './access/server-phase.js';
import { ServerLifecycle } from './server-lifecycle.js';
import { Cancellations } from './task/cancellations.js';
import { HeartbeatLeases } from './task/heartbeat-leases.js';
import { Heartbeats, type HeartbeatHandle } from './task/heartbeats.js';
import { NUL_RULE, toJson } from './validation.js';

export interface SendOptions {
  /** Keep the message until one of the user's devices acknowledges it. @default false */
  requiresAck?: boolean;
  /** Wait so long for the acknowledgement, in milliseconds; needs `requiresAck`. */
  ackTimeoutMs?: number;
  /** Ends the wait for the acknowledgement early; the message stays. */
  signal?: AbortSignal;
  /** How long an unacknowledged message is kept, in milliseconds. @default the setting `retentionMs` */
  ttlMs?: number;
}

export interface Delivery {
  /** Connections reached, over all nodes; an estimate. */
  deliveredTo: number;
  /** With `requiresAck`. */
  messageId?: string;
  /** With `ackTimeoutMs`: whether one of the user's devices acknowledged in time. Absent while the engine cannot say. */
  acknowledged?: boolean;
}

export interface Status {
  running: boolean;
  host: string;
  port: number;
  activeConnections: number;
  pendingCallbacks: number;
  unacknowledgedMessages: number;
  cluster: ClusterStatus;
}

/** Back-end code that injects the service. */
const BACKEND_CODE: AuditActor = { by: { kind: 'service' }, means: 'service' };

/** Some 31 years. */
const MAX_TTL_MS = 1_000_000_000_000;

@Injectable()
export class NotificationService {
  private readonly logger = new Logger(NotificationService.name);

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Engine) private readonly engine: Engine,
    private readonly hub: Hub,
    private readonly confirmations: Confirmations,
    private readonly cancellations: Cancellations,
    private readonly heartbeats: Heartbeats,
    private readonly leases: HeartbeatLeases,
    private readonly dispatcher: Dispatcher,
    private readonly acknowledgements: Acknowledgements,
    private readonly lifecycle: ServerLifecycle,
    private readonly phase: ServerPhase,
    private readonly audit: AuditTrail,
    private readonly listening: ListeningAddress,
    private readonly metrics: NotificationMetrics,
  ) {
    metrics.observe({
      connections: () => hub.size,
      running: () => this.accepting,
      pendingConfirmations: async () => (await engine.counts()).pendingConfirmations,
    });
  }

  /* ---- serving ---- */

  /** Whether new connections are taken. */
  get accepting(): boolean {
    return this.phase.isAccepting;
  }

  /**
   * Takes connections, once a drain that is under way has ended. Nest does this at start; it is for an application that
   * has called `stopServer()`.
   * @returns where the application's HTTP server listens; `undefined` while it does not listen
   */
  async startServer(): Promise<ListeningAt | undefined> {
    await this.lifecycle.start();
    return this.listening.current;
  }

  /**
   * Takes no more connections and closes those that it has with 1012 `service restart`, spread over `drainTimeoutMs`. Each
   * connection first gets the reply to its current frame. Prompts stay pending, and calls go on waiting. A second call during
   * a drain waits for its end.
   */
  stopServer(): Promise<void> {
    return this.lifecycle.stop();
  }

  /* ---- asking ---- */

  /**
   * Asks a user and waits for the decision, however long it takes, over restarts of whoever answers.
   *
   * @param stepResult what is shown: `{ step, message, status, result?, completed?, error_code?, error_message? }`
   * @param userId whom to ask, on all devices, now and whenever they connect
   * @param taskId the task the step belongs to; the first user it is named with owns it
   * @param step the number of the step
   * @throws InvalidMessageError (naming the option), ConfirmationConflictError (`key` was used for another prompt),
   *   ConfirmationTimeoutError (`onTimeout: 'error'`), EngineUnavailableError, StoreFullError (nothing was asked),
   *   ConfirmationLostError (a fail-over of Redis lost the prompt: ask again), ServiceClosedError (the service stopped; the prompt stays pending)
   */
  async notifyUser(
    stepResult: StepResult,
    userId: string,
    taskId: string,
    step: number,
    options: NotifyUserOptions = {},
  ): Promise<ConfirmationResult> {
    const request = { ...options, stepResult, userId, taskId, step };
    return this.confirmations.ask(request, {
      onCreated: (opened) => this.auditPrompt(opened, BACKEND_CODE),
      onWithdrawn: (withdrawn) => this.auditDecision(withdrawn, BACKEND_CODE),
    });
  }

  /** Asks without waiting: the prompt's state, and whether this call created it (`false`: `key` found an earlier one). */
  async openConfirmation(
    request: AskRequest,
    actor: AuditActor = BACKEND_CODE,
  ): Promise<{ created: boolean; confirmation: Confirmation }> {
    const opened = await this.confirmations.open(request);
    if (opened.created) this.auditPrompt(opened.confirmation, actor);
    return opened;
  }

  /** A prompt's state, at once or when it is decided, `waitMs` have passed or `signal` aborts. @throws NotFoundError */
  getConfirmation(callbackId: string, scope: Scope = 'all', waitMs = 0, signal?: AbortSignal): Promise<Confirmation> {
    return this.confirmations.wait(callbackId, scope, waitMs, signal);
  }

  /** A page: at most `limit`, and fewer once they have about 256 KiB. Go on with `cursor` while there is one. */
  listConfirmations(query: ConfirmationQuery): Promise<Page<Confirmation>> {
    return this.confirmations.list(query);
  }

  /** Answers for a user. @throws InvalidMessageError (`via`), NotFoundError, InvalidAnswerError, StalePromptError, AlreadyResolvedError */
  async answer(callbackId: string, by: Answerer, given: GivenAnswer, actor: AuditActor = BACKEND_CODE): Promise<Confirmation> {
    const { via = actor.means } = by;
    if (!VIA_TEXT.test(via)) throw new InvalidMessageError({ via: 'must have 1 to 64 of A-Z a-z 0-9 . _ : -' });
    const { confirmation, isNew } = await this.confirmations.decide(callbackId, { ...by, via }, given);
    if (isNew) this.auditDecision(confirmation, actor);
    return confirmation;
  }

  /** Takes a prompt back. @throws NotFoundError, AlreadyResolvedError */
  async withdraw(
    callbackId: string,
    scope: Scope = 'all',
    actor: AuditActor = BACKEND_CODE,
    arrival?: Arrival,
  ): Promise<Confirmation> {
    const { confirmation, isNew } = await this.confirmations.withdraw(callbackId, scope, actor.means, arrival);
    if (isNew) this.auditDecision(confirmation, actor);
    return confirmation;
  }

  /** Every decision on every node, at least once: to resume work that nobody waits for any more. */
  get decisions$(): Observable<DecisionEvent> {
    return this.dispatcher.decisions$;
  }

  /* ---- tasks ---- */

  /** Cancels a task for back-end code: its pending prompts resolve as `cancelled`, its signal aborts on every node. */
  cancelTask(taskId: string, reason?: string): Promise<Task> {
    return this.cancel({ taskId, scope: 'all', cancelledBy: null, reason, allowUnknown: true });
  }

  /** Cancels a task for whoever `request` says. @throws NotFoundError */
  async cancel(request: CancelRequest, actor: AuditActor = BACKEND_CODE): Promise<Task> {
    checkIdentifier('taskId', request.taskId);
    checkReason(request.reason);
    const { via = actor.means } = request;
    const result = await this.engine.tasks.cancel({ ...request, via });
    if (result.status === 'not_found') throw new NotFoundError('task');
    const { taskId, userId } = result.task;
    if (result.status === 'cancelled')
      this.audit.record({ event: 'cancel', ...actor, via, what: 'cancelled', taskId, userId: userId ?? undefined });
    return { ...result.task, namedUserId: result.task.userId ?? request.namedUserId };
  }

  /** Forgets a cancellation: later prompts of the task are asked again. */
  async resumeTask(taskId: string, actor: AuditActor = BACKEND_CODE): Promise<Task | undefined> {
    const result = await this.engine.tasks.resume(taskId);
    if (result.status === 'not_found') return undefined;
    const { userId } = result.task;
    if (result.status === 'resumed')
      this.audit.record({ event: 'resume', ...actor, what: 'resumed', taskId, userId: userId ?? undefined });
    return result.task;
  }

  getTask(taskId: string): Promise<Task | undefined> {
    return this.engine.tasks.get(taskId);
  }

  /** Aborts when the task is cancelled, on whichever node. */
  cancellationSignal(taskId: string): AbortSignal {
    return this.cancellations.signal(taskId);
  }

  /** Every cancellation of a task, on every node. */
  get cancellations$(): Observable<Task> {
    return this.cancellations.cancellations$;
  }

  /* ---- messages ---- */

  /** To everybody. @throws InvalidMessageError */
  async broadcastMessage(message: ApplicationMessage): Promise<Delivery> {
    return this.publishTo(BROADCAST_CHANNEL, message);
  }

  /** To a user's connections, on all nodes; adds `target_user_id` [old]. @throws InvalidMessageError, StoreFullError */
  async sendToUser(userId: string, message: ApplicationMessage, options: SendOptions = {}): Promise<Delivery> {
    checkIdentifier('userId', userId);
    const checked = checkMessage(message);
    checkDurations(options);
    if (!options.requiresAck) {
      if (options.ackTimeoutMs !== undefined) throw new InvalidMessageError({ ackTimeoutMs: 'needs requiresAck' });
      return this.publishChecked(userChannel(userId), { ...checked, target_user_id: userId });
    }
    const messageId = randomUUID();
    const ttlMs = Math.ceil(options.ttlMs ?? this.options.retentionMs);
    const expected =
      options.ackTimeoutMs === undefined ? undefined : this.acknowledgements.expect(messageId, userId, options.ackTimeoutMs);
    const stop = (): void => expected?.stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    if (options.signal?.aborted) stop();
    try {
      const { deliveredTo } = await this.engine.broker.sendAcknowledged({ messageId, userId, message: checked, ttlMs });
      await turnsTaken();
      return { deliveredTo, messageId, acknowledged: await expected?.acknowledged };
    } finally {
      options.signal?.removeEventListener('abort', stop);
      stop();
    }
  }

  /** To a task's subscribers and its user; adds `task_id` where it is absent. @throws InvalidMessageError */
  async sendToTask(taskId: string, message: ApplicationMessage): Promise<Delivery> {
    checkIdentifier('taskId', taskId);
    return this.publishChecked(taskChannel(taskId), withTaskId(checkMessage(message), taskId));
  }

  /** To the subscribers of a channel of the application's own. @throws InvalidMessageError */
  async publish(channel: string, message: ApplicationMessage): Promise<Delivery> {
    checkIdentifier('channel', channel);
    if (channel.startsWith(LEASE_CHANNEL_PREFIX)) throw new InvalidMessageError({ channel: RESERVED_CHANNEL });
    const parsed = parseChannel(channel);
    switch (parsed.kind) {
      case 'user':
        return this.sendToUser(parsed.userId, message);
      case 'task':
        return this.sendToTask(parsed.taskId, message);
      case 'broadcast':
      case 'named':
        return this.publishTo(channel, message);
      default:
        return parsed satisfies never;
    }
  }

  /** A device has a message. @throws NotFoundError */
  async acknowledge(messageId: string, scope: Scope = 'all'): Promise<void> {
    if ((await this.engine.broker.ack(messageId, scope)) === 'not_found') throw new NotFoundError('message');
  }

  /**
   * Tells the user every `interval` seconds [old] that the task is still executing; ends with the handle, the task's
   * cancellation or the service.
   */
  sendHeartbeat(userId: string, taskId: string, interval = 30): HeartbeatHandle {
    checkHeartbeat(userId, taskId, { interval });
    const handle = this.heartbeats.start(userId, taskId, interval * 1000);
    void this.claimBeating(userId, taskId);
    return handle;
  }

  /** A heartbeat that ends by itself after `ttl` seconds unless it is renewed by the same call. */
  async leaseHeartbeat(userId: string, taskId: string, interval = 30, ttl = 300): Promise<void> {
    checkHeartbeat(userId, taskId, { interval, ttl });
    await this.leases.lease(userId, taskId, interval * 1000, ttl * 1000);
    void this.claimBeating(userId, taskId);
  }

  /** Ends the task's leased heartbeats on every node, and all of its heartbeats on this one. @throws EngineUnavailableError */
  stopHeartbeats(taskId: string): Promise<void> {
    return this.leases.stop(taskId);
  }

  /* ---- state ---- */

  /** Live connections of this process. */
  getConnectionCount(): number {
    return this.hub.size;
  }

  async getStatus(): Promise<Status> {
    const [counts, cluster, activeConnections] = await Promise.all([
      this.engine.counts(),
      this.engine.cluster(this.hub.size),
      this.options.workerGroup?.countConnections() ?? this.hub.size,
    ]);
    return {
      running: this.accepting,
      host: this.options.host,
      port: this.options.port,
      ...this.listening.current,
      activeConnections,
      pendingCallbacks: counts.pendingConfirmations,
      unacknowledgedMessages: counts.unacknowledgedMessages,
      cluster,
    };
  }

  /** Closes all the user's connections on all nodes, and refuses tokens that were issued until now. @returns the moment, Unix milliseconds */
  async revokeUser(userId: string, actor: AuditActor = BACKEND_CODE): Promise<number> {
    checkIdentifier('userId', userId);
    const revokedAt = await this.engine.revocations.revoke(userId);
    this.audit.record({ event: 'revoked', ...actor, what: 'revoked', userId });
    return revokedAt;
  }

  /**
   * Asks again, on every node, what the user may do: subscriptions and long polls that the access policy does not allow any
   * more end. Call it when what `accessPolicy` answers for the user has changed.
   */
  async reviewAccess(userId: string, actor: AuditActor = BACKEND_CODE): Promise<void> {
    checkIdentifier('userId', userId);
    await this.engine.revocations.review(userId);
    this.audit.record({ event: 'reviewed', ...actor, what: 'reviewed', userId });
  }

  /** The user's connections, on all nodes, oldest first. */
  devices(userId: string): Promise<Device[]> {
    return this.engine.presence.devices(userId);
  }

  async presence(userId: string): Promise<UserPresence> {
    return { connections: await this.engine.presence.count(userId) };
  }

  /** Whether the node can do its work. @throws ServiceClosedError while it drains, EngineUnavailableError */
  async checkReady(): Promise<void> {
    if (!this.accepting) throw new ServiceClosedError();
    await this.engine.ping();
  }

  private auditPrompt({ callbackId, userId, taskId }: Confirmation, actor: AuditActor): void {
    this.metrics.confirmationsOpened.inc();
    this.audit.record({ event: 'prompt', ...actor, what: 'opened', callbackId, userId, taskId });
  }

  private auditDecision({ callbackId, userId, taskId, decision }: Decided, actor: AuditActor): void {
    const { outcome, answeredBy, via } = decision;
    this.audit.record({ event: 'decision', ...actor, via, answeredBy, what: outcome, callbackId, userId, taskId });
  }

  /** A task that beats is the user's; one that was cancelled does not beat. */
  private async claimBeating(userId: string, taskId: string): Promise<void> {
    try {
      const task = await this.engine.tasks.claim(taskId, userId);
      if (task.cancelled) this.heartbeats.stopTask(taskId);
    } catch (error) {
      this.logger.warn(`the heartbeat of task ${printable(taskId)} could not claim it: ${String(error)}`);
    }
  }

  private async publishTo(channel: string, message: ApplicationMessage): Promise<Delivery> {
    return this.publishChecked(channel, checkMessage(message));
  }

  private async publishChecked(channel: string, message: JsonObject): Promise<Delivery> {
    const { type } = message;
    const recoverable = typeof type !== 'string' || !CONFLATED_TYPES.has(type);
    const { deliveredTo } = await this.engine.broker.publish({ channel, message, recoverable });
    await turnsTaken();
    return { deliveredTo };
  }
}

/** @throws InvalidMessageError for what JSON cannot carry, what has no type of its own, and what brings a reserved field */
function checkMessage(given: unknown): JsonObject {
  const message = toJson(given, 'message');
  if (!isObject(message)) throw new InvalidMessageError({ message: 'must be an object' });
  const { type } = message;
  if (type === undefined) throw new InvalidMessageError({ type: 'is required' });
  if (typeof type !== 'string' || type === '') throw new InvalidMessageError({ type: 'must be a non-empty string' });
  if (isReservedType(type)) throw new InvalidMessageError({ type: `${type} is reserved: only the product sends it` });
  const reserved = RESERVED_FIELDS.find((name) => Object.hasOwn(message, name));
  if (reserved !== undefined) throw new InvalidMessageError({ [reserved]: 'is reserved: the product adds it itself' });
  return message;
}

/** @throws InvalidMessageError for a message that names another task */
function withTaskId(message: JsonObject, taskId: string): JsonObject {
  if (!Object.hasOwn(message, 'task_id')) return { ...message, task_id: taskId };
  if (message['task_id'] === taskId) return message;
  throw new InvalidMessageError({ task_id: 'must be that of the task the message is sent to, or absent' });
}

function checkIdentifier(name: string, value: unknown): void {
  if (isIdentifier(value)) return;
  const parsed = identifier.safeParse(value);
  if (!parsed.success) throw new InvalidMessageError({ [name]: parsed.error.issues[0]?.message ?? 'invalid' });
}

function checkReason(given: unknown): void {
  if (given === undefined) return;
  const reason = toJson(given, 'reason');
  if (typeof reason !== 'string') throw new InvalidMessageError({ reason: 'must be a string' });
  if (reason.includes('\0')) throw new InvalidMessageError({ reason: NUL_RULE });
}

function checkDurations({ ackTimeoutMs = 0, ttlMs = 1 }: SendOptions): void {
  if (!(ackTimeoutMs >= 0)) throw new InvalidMessageError({ ackTimeoutMs: 'must be 0 or more milliseconds' });
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS))
    throw new InvalidMessageError({ ttlMs: `must be more than 0, at most ${MAX_TTL_MS} milliseconds` });
}

function checkHeartbeat(userId: string, taskId: string, seconds: Record<string, number>): void {
  checkIdentifier('userId', userId);
  checkIdentifier('taskId', taskId);
  for (const [name, value] of Object.entries(seconds)) {
    if (!Number.isFinite(value) || value <= 0) throw new InvalidMessageError({ [name]: 'must be a positive number of seconds' });
  }
}
