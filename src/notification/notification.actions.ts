/**
 * What back-end code, clients and REST callers can do to confirmations, tasks, messages and users. The messages by which
 * clients ask for it are in `protocol/actions.ts`. `scope` limits the users whose confirmations and tasks a call may
 * touch, and the audit trail records the actor. `NotificationService`, the gateway and the controllers all use this class.
 */
import { Inject, Injectable } from '@nestjs/common';
import { VIA_TEXT } from '../protocol/identifier.js';
import type { AuditActor } from './access/audit-entry.js';
import { AuditTrail } from './access/audit.js';
import type { GivenAnswer } from './confirmation/answer.js';
import { dismiss, markSeen } from './confirmation/attention.js';
import { Confirmations, type Answerer } from './confirmation/confirmations.js';
import { checkIdentifier, type AskRequest } from './confirmation/prepare-request.js';
import type { ConfirmationResult } from './confirmation/presentation.js';
import type { Arrival } from './engine/deadlines.js';
import {
  Engine,
  type CancelRequest,
  type Confirmation,
  type ConfirmationQuery,
  type Decided,
  type Page,
  type Scope,
  type Task,
} from './engine/engine.js';
import { OWN_DOORS } from './engine/via.js';
import { InvalidMessageError, NotFoundError } from './notification.errors.js';
import { NotificationMetrics } from './notification.metrics.js';
import { performance } from './pacing/time-source.js';
import { decisionAttributes, failSpan, startSpan } from './tracing/spans.js';
import { NUL_RULE } from './validation/field-rules.js';
import { toJson } from './validation/to-json.js';

@Injectable()
export class NotificationActions {
  constructor(
    @Inject(Engine) private readonly engine: Engine,
    private readonly confirmations: Confirmations,
    private readonly audit: AuditTrail,
    private readonly metrics: NotificationMetrics,
  ) {}

  /** Asks, and waits for the decision. */
  async ask(request: AskRequest, actor: AuditActor): Promise<ConfirmationResult> {
    const began = performance.now();
    let waiting: ReturnType<typeof startSpan>;
    try {
      const result = await this.confirmations.ask(request, {
        onOpened: (confirmation, created) => {
          waiting = startSpan('receive', confirmation);
          if (created) this.opened(confirmation, actor, began);
        },
        onWithdrawn: (withdrawn) => this.auditDecision(withdrawn, actor),
      });
      waiting?.setAttributes(decisionAttributes(result));
      return result;
    } catch (error) {
      failSpan(waiting, error);
      throw error;
    } finally {
      waiting?.end();
    }
  }

  /** Asks without waiting. */
  async open(request: AskRequest, actor: AuditActor): Promise<{ created: boolean; confirmation: Confirmation }> {
    const began = performance.now();
    const opened = await this.confirmations.open(request);
    if (opened.created) this.opened(opened.confirmation, actor, began);
    return opened;
  }

  /** @throws NotFoundError for a confirmation that does not exist or lies outside the scope */
  get(callbackId: string, scope: Scope, waitMs = 0, signal?: AbortSignal): Promise<Confirmation> {
    return this.confirmations.wait(callbackId, scope, waitMs, signal);
  }

  list(query: ConfirmationQuery): Promise<Page<Confirmation>> {
    return this.confirmations.list(query);
  }

  /** @throws InvalidMessageError (`via`), NotFoundError, InvalidAnswerError, StalePromptError, AlreadyResolvedError */
  async answer(callbackId: string, by: Answerer, given: GivenAnswer, actor: AuditActor): Promise<Confirmation> {
    const { userId, scope, arrival, via = actor.means } = by;
    if (!VIA_TEXT.test(via)) throw new InvalidMessageError({ via: 'must have 1 to 64 of A-Z a-z 0-9 . _ : -' });
    if (via !== actor.means && OWN_DOORS.has(via)) throw new InvalidMessageError({ via: 'names a door of the product itself' });
    const { confirmation, isNew } = await this.confirmations.decide(callbackId, { userId, scope, via, arrival }, given);
    if (isNew) this.auditDecision(confirmation, actor);
    return confirmation;
  }

  /** Records when a device first showed a prompt. @throws NotFoundError */
  markSeen(callbackId: string, scope: Scope): Promise<Confirmation> {
    return markSeen(this.engine.confirmations, callbackId, scope);
  }

  /** Hides a prompt for a while. @throws NotFoundError, AlreadyResolvedError, InvalidMessageError (`until`) */
  dismiss(callbackId: string, scope: Scope, until?: number): Promise<Confirmation> {
    return dismiss(this.engine.confirmations, callbackId, scope, until);
  }

  /** @throws NotFoundError, AlreadyResolvedError */
  async withdraw(callbackId: string, scope: Scope, actor: AuditActor, arrival?: Arrival): Promise<Confirmation> {
    const { confirmation, isNew } = await this.confirmations.withdraw(callbackId, scope, actor.means, arrival);
    if (isNew) this.auditDecision(confirmation, actor);
    return confirmation;
  }

  /** @throws NotFoundError, InvalidMessageError (`taskId`, `reason`) */
  async cancelTask(request: CancelRequest, actor: AuditActor): Promise<Task> {
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

  async resumeTask(taskId: string, actor: AuditActor): Promise<Task | undefined> {
    const result = await this.engine.tasks.resume(taskId);
    if (result.status === 'not_found') return undefined;
    const { userId } = result.task;
    if (result.status === 'resumed')
      this.audit.record({ event: 'resume', ...actor, what: 'resumed', taskId, userId: userId ?? undefined });
    return result.task;
  }

  /** A device has received a message. @throws NotFoundError */
  async acknowledge(messageId: string, scope: Scope): Promise<void> {
    if ((await this.engine.broker.ack(messageId, scope)) === 'not_found') throw new NotFoundError('message');
  }

  async revokeUser(userId: string, actor: AuditActor): Promise<number> {
    checkIdentifier('userId', userId);
    const revokedAt = await this.engine.revocations.revoke(userId);
    this.audit.record({ event: 'revoked', ...actor, what: 'revoked', userId });
    return revokedAt;
  }

  async reviewAccess(userId: string, actor: AuditActor): Promise<void> {
    checkIdentifier('userId', userId);
    await this.engine.revocations.review(userId);
    this.audit.record({ event: 'reviewed', ...actor, what: 'reviewed', userId });
  }

  private opened({ callbackId, userId, taskId, prompt }: Confirmation, actor: AuditActor, began: number): void {
    this.metrics.opened(userId);
    this.metrics.delivering('confirmation', began, prompt);
    this.audit.record({ event: 'prompt', ...actor, what: 'opened', callbackId, userId, taskId });
  }

  private auditDecision({ callbackId, userId, taskId, decision }: Decided, actor: AuditActor): void {
    const { outcome, answeredBy, via } = decision;
    this.audit.record({ event: 'decision', ...actor, via, answeredBy, what: outcome, callbackId, userId, taskId });
  }
}

function checkReason(given: unknown): void {
  if (given === undefined) return;
  const reason = toJson(given, 'reason');
  if (typeof reason !== 'string') throw new InvalidMessageError({ reason: 'must be a string' });
  if (reason.includes('\0')) throw new InvalidMessageError({ reason: NUL_RULE });
}
