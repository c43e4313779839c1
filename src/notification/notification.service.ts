/**
 * `NotificationService`: what back-end code injects. It owns the callback registry and the hub, the map from users to
 * connections. Its calls become calls of the engine; the results arrive through the dispatcher.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { StepResult } from '../protocol/confirmation.js';
import type { ApplicationMessage } from '../protocol/messages.js';
import type { AuditActor } from './access/audit-entry.js';
import { ListeningAddress, type ListeningAt } from './access/listening-address.js';
import { ServerPhase } from './server/server-phase.js';
import type { GivenAnswer } from './confirmation/answer.js';
import { CallbackRegistry } from './confirmation/callback-registry.js';
import type { AskRequest, NotifyUserOptions } from './confirmation/prepare-request.js';
import type { ConfirmationResult } from './confirmation/presentation.js';
import { Hub } from './connection/hub.js';
import { Dispatcher, type DecisionEvent } from './dispatcher.js';
import { Engine, type Confirmation, type Device, type UserPresence, type Task } from './engine/engine.js';
import { NotificationActions } from './notification.actions.js';
import { NodeStatus, type NotificationStatus } from './server/node-status.js';
import { ServerLifecycle } from './server/server-lifecycle.js';
import { Publisher, type MessageDelivery, type SendOptions } from './subscription/publisher.js';
import { Cancellations } from './task/cancellations.js';
import type { HeartbeatHandle } from './task/heartbeats.js';
import { TaskHeartbeats } from './task/task-heartbeats.js';
import type { AnswerBy, ConfirmationPage, ListConfirmationsOptions, WaitOptions } from './notification.requests.js';

/** The actor of calls by code in the same process. */
const BACKEND_CODE: AuditActor = { by: { kind: 'service' }, means: 'service' };

@Injectable()
export class NotificationService {
  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly callbacks: CallbackRegistry,
    private readonly hub: Hub,
    private readonly actions: NotificationActions,
    private readonly publisher: Publisher,
    private readonly cancellations: Cancellations,
    private readonly heartbeats: TaskHeartbeats,
    private readonly dispatcher: Dispatcher,
    private readonly lifecycle: ServerLifecycle,
    private readonly phase: ServerPhase,
    private readonly listening: ListeningAddress,
    private readonly status: NodeStatus,
  ) {}

  /* ---- asking ---- */

  /**
   * Asks a user and waits for the decision, over reconnects and restarts of clients and other nodes.
   *
   * @param stepResult what is shown: `{ message, step?, status?, result?, completed?, error_code?, error_message? }`
   * @param userId the user to ask, on all devices, now and whenever they connect
   * @param taskId the task that the step belongs to; it belongs to the first user with whom it is named
   * @param step the number of the step
   * @param options by default the prompt waits 300 000 ms (`callbackTimeoutMs`) and then proceeds (`timeoutDecision`)
   * @returns `proceed` and how it was decided
   * @throws InvalidMessageError (names the option), ConfirmationConflictError (`key` was used for another prompt),
   *   ConfirmationTimeoutError (`onTimeout: 'error'`), StoreFullError (nothing was asked), EngineUnavailableError (nothing was
   *   asked, or the prompt is withdrawn once the engine is back; with `key` it waits for the same call again),
   *   ConfirmationLostError (a fail-over lost the prompt: ask again), ServiceClosedError (the prompt stays pending)
   * @example
   * const { proceed } = await notifications.notifyUser({ message: 'Deploy?' }, 'ann', 'deploy-7', 1, { timeoutMs: 60_000 });
   */
  async notifyUser(
    stepResult: StepResult,
    userId: string,
    taskId: string,
    step: number,
    options: NotifyUserOptions = {},
  ): Promise<ConfirmationResult> {
    // Not `{ ...x, y }`: Node 20 makes a hidden class for each object that begins with a spread and has further properties.
    return this.actions.ask(Object.assign({}, options, { stepResult, userId, taskId, step }), BACKEND_CODE);
  }

  /**
   * Asks without waiting. The decision arrives through `decisions$` or `getConfirmation`.
   * @returns the confirmation, and whether this call created it (`false`: `key` found an earlier one)
   * @throws as `notifyUser`, except for the errors of waiting
   */
  openConfirmation(request: AskRequest): Promise<{ created: boolean; confirmation: Confirmation }> {
    return this.actions.open(request, BACKEND_CODE);
  }

  /**
   * Reads a confirmation: at once, or when it is decided, `waitMs` have passed or `signal` aborts.
   * @throws NotFoundError, EngineUnavailableError
   */
  getConfirmation(callbackId: string, { waitMs, signal }: WaitOptions = {}): Promise<Confirmation> {
    return this.actions.get(callbackId, 'all', waitMs, signal);
  }

  /**
   * Lists confirmations.
   * @returns at most `limit` of them, and fewer once they have about 256 KiB; `cursor` is there while there are more
   * @throws InvalidMessageError for a cursor of no page
   * @example
   * const { items, cursor } = await notifications.listConfirmations({ userId: 'ann', state: 'pending' });
   */
  listConfirmations(options: ListConfirmationsOptions = {}): Promise<ConfirmationPage> {
    const { userId, limit = 100, ...query } = options;
    return this.actions.list({ ...query, limit, scope: userId === undefined ? 'all' : [userId] });
  }

  /**
   * Answers for a user. The first valid answer decides; the same answer again gets the same result.
   * @throws InvalidMessageError (`via`), NotFoundError, InvalidAnswerError, StalePromptError, AlreadyResolvedError
   * @example
   * await notifications.answer(callbackId, { userId: 'ann', via: 'chat' }, { proceed: true });
   */
  answer(callbackId: string, { userId, via }: AnswerBy, answer: GivenAnswer): Promise<Confirmation> {
    return this.actions.answer(callbackId, { userId, scope: 'all', via }, answer, BACKEND_CODE);
  }

  /** Withdraws a pending prompt: every caller gets `withdrawn`. @throws NotFoundError, AlreadyResolvedError */
  withdraw(callbackId: string): Promise<Confirmation> {
    return this.actions.withdraw(callbackId, 'all', BACKEND_CODE);
  }

  /** Every decision, on every node, at least once: to resume work for which no call waits any more. */
  get decisions$(): Observable<DecisionEvent> {
    return this.dispatcher.decisions$;
  }

  /* ---- tasks ---- */

  /**
   * Cancels a task: its pending prompts, and until `resumeTask` its later ones, are decided as `cancelled`; its signal aborts
   * on every node.
   * @throws InvalidMessageError, EngineUnavailableError
   */
  cancelTask(taskId: string, reason?: string): Promise<Task> {
    return this.actions.cancelTask({ taskId, scope: 'all', cancelledBy: null, reason, allowUnknown: true }, BACKEND_CODE);
  }

  /** Forgets a cancellation: later prompts of the task are asked again. @returns `undefined` for an unknown task */
  resumeTask(taskId: string): Promise<Task | undefined> {
    return this.actions.resumeTask(taskId, BACKEND_CODE);
  }

  getTask(taskId: string): Promise<Task | undefined> {
    return this.engine.tasks.get(taskId);
  }

  /** A signal that aborts when the task is cancelled, on any node; soon after the call if it is cancelled already. */
  cancellationSignal(taskId: string): AbortSignal {
    return this.cancellations.signal(taskId);
  }

  /** Every cancellation, on every node. */
  get cancellations$(): Observable<Task> {
    return this.cancellations.cancellations$;
  }

  /**
   * Sends the user "Task is still executing..." now and every `interval` seconds. It ends with the handle, the task's
   * cancellation or the service.
   * @throws InvalidMessageError, ServiceClosedError
   */
  sendHeartbeat(userId: string, taskId: string, interval = 30): HeartbeatHandle {
    return this.heartbeats.start(userId, taskId, interval);
  }

  /** A heartbeat that ends after `ttl` seconds unless the same call renews it, on any node. @throws InvalidMessageError */
  leaseHeartbeat(userId: string, taskId: string, interval = 30, ttl = 300): Promise<void> {
    return this.heartbeats.lease(userId, taskId, interval, ttl);
  }

  /** Ends the task's leased heartbeats on every node, and all of its heartbeats on this one. @throws EngineUnavailableError */
  stopHeartbeats(taskId: string): Promise<void> {
    return this.heartbeats.stop(taskId);
  }

  /* ---- messages ---- */

  /**
   * Sends a message to every connection. Its `type` is the application's own; other fields pass as they are.
   * @throws InvalidMessageError for a reserved type or field, EngineUnavailableError
   */
  broadcastMessage(message: ApplicationMessage): Promise<MessageDelivery> {
    return this.publisher.toEverybody(message);
  }

  /**
   * Sends a message to a user's connections, on all nodes, with `target_user_id` added.
   * @throws InvalidMessageError, StoreFullError (with `requiresAck`), EngineUnavailableError
   * @example
   * const { acknowledged } = await notifications.sendToUser('ann', { type: 'note' }, { requiresAck: true, ackTimeoutMs: 5000 });
   */
  sendToUser(userId: string, message: ApplicationMessage, options: SendOptions = {}): Promise<MessageDelivery> {
    return this.publisher.toUser(userId, message, options);
  }

  /** Sends a message to a task's subscribers and its user, with `task_id` added. @throws InvalidMessageError */
  sendToTask(taskId: string, message: ApplicationMessage): Promise<MessageDelivery> {
    return this.publisher.toTask(taskId, message);
  }

  /** Sends a message to a channel's subscribers. @param channel `user:<id>`, `task:<id>`, `broadcast`, or the application's own */
  publish(channel: string, message: ApplicationMessage): Promise<MessageDelivery> {
    return this.publisher.toChannel(channel, message);
  }

  /** Closes all the user's connections on all nodes, and refuses tokens issued until now. @returns Unix milliseconds of now */
  revokeUser(userId: string): Promise<number> {
    return this.actions.revokeUser(userId, BACKEND_CODE);
  }

  /**
   * Asks again, on every node, what the user may do. Subscriptions and long polls that the access policy no longer allows
   * end. Call it when the answers of `accessPolicy` for the user have changed.
   */
  reviewAccess(userId: string): Promise<void> {
    return this.actions.reviewAccess(userId, BACKEND_CODE);
  }

  /** The user's connections, on all nodes, oldest first. */
  devices(userId: string): Promise<Device[]> {
    return this.engine.presence.devices(userId);
  }

  async presence(userId: string): Promise<UserPresence> {
    const { presence } = this.engine;
    const [connections, reconnects] = await Promise.all([presence.count(userId), presence.reconnects(userId)]);
    return { connections, reconnects };
  }

  /* ---- this node ---- */

  /** Whether new connections are taken. */
  get accepting(): boolean {
    return this.phase.isAccepting;
  }

  /**
   * Takes connections again after `stopServer()`, once its drain has ended; of several calls the last one counts. Nest calls it
   * at start. It throws ServiceClosedError when the application is shutting down.
   * @returns where the application's HTTP server listens; `undefined` while it does not listen
   */
  async startServer(): Promise<ListeningAt | undefined> {
    await this.lifecycle.start();
    return this.listening.current;
  }

  /**
   * Takes no more connections and closes those that it has with 1012 `service restart`, spread over `drainTimeoutMs`. Each
   * connection first gets the reply to its current frame. Prompts stay pending, and calls go on waiting.
   */
  stopServer(): Promise<void> {
    return this.lifecycle.stop();
  }

  /** Live connections of this process. */
  getConnectionCount(): number {
    return this.hub.size;
  }

  /** Confirmations for whose decision a call in this process waits. */
  getWaitingCallbackCount(): number {
    return this.callbacks.callbackIds.length;
  }

  /** This node's state and the cluster's. @throws EngineUnavailableError */
  getStatus(): Promise<NotificationStatus> {
    return this.status.read();
  }

  /** Resolves if the node can do its work. @throws ServiceClosedError while it drains, EngineUnavailableError */
  checkReady(): Promise<void> {
    return this.status.checkReady();
  }
}
