/**
 * The one authorisation policy: who may do what. Every action and every route asks it.
 *
 *  1. `POLICY` names every way in. An action without a rule does not compile; a route without one is refused and fails a test.
 *  2. What lies outside a principal's scope does not exist for it: the engine replies as to an unknown id.
 *  3. Open mode has no identity to check, only the one that a connection claims.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ACTIONS, type Action } from '../../protocol/actions.js';
import { isIdentifier } from '../../protocol/identifier.js';
import type { Identity } from '../connection/connection.js';
import type { Scope } from '../engine/engine.js';
import { NotFoundError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import type { Actor } from './audit-entry.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';

/** The caller: a connection's identity, or a service by REST. */
export type Principal = Identity | Service;

/** A back-end service: named by its token's `sub` or by a digest of its API key, or by nothing in open mode. */
export interface Service {
  kind: 'service';
  id?: string;
  keyHash?: string;
}

/** The routes, by name; `@RequirePermission(name)` ties a controller's method to one. */
export type RoutePermission =
  | 'status.read'
  | 'metrics.read'
  | 'broadcast.send'
  | 'user.read'
  | 'user.send'
  | 'user.inbox'
  | 'user.revoke'
  | 'user.review'
  | 'confirmation.open'
  | 'confirmation.list'
  | 'confirmation.read'
  | 'confirmation.answer'
  | 'confirmation.dismiss'
  | 'confirmation.seen'
  | 'confirmation.withdraw'
  | 'task.read'
  | 'task.send'
  | 'task.heartbeat'
  | 'task.cancel'
  | 'task.resume';

export type Operation = `ws.${Action}` | RoutePermission;

/**
 * Who may call an operation at all. A user's scope (`scopeOf`) then decides about which users' things.
 * `everyone`: any caller. `identified`: any caller except a connection that has not authenticated yet. `service`: any of
 * these except a user; in open mode every REST caller is a service.
 */
type Rule = 'everyone' | 'identified' | 'service';

export const POLICY: Readonly<Record<Operation, Rule>> = {
  'ws.authenticate': 'everyone',
  'ws.ping': 'identified',
  'ws.subscribe': 'identified',
  'ws.unsubscribe': 'identified',
  'ws.confirm': 'identified',
  'ws.cancel': 'identified',
  'ws.ack': 'identified',
  'ws.pending': 'identified',
  'ws.seen': 'identified',
  'ws.dismiss': 'identified',
  'status.read': 'service',
  'metrics.read': 'service',
  'broadcast.send': 'service',
  'user.read': 'identified',
  'user.send': 'service',
  'user.inbox': 'identified',
  'user.revoke': 'service',
  'user.review': 'service',
  'confirmation.open': 'service',
  'confirmation.list': 'service',
  'confirmation.read': 'identified',
  'confirmation.answer': 'identified',
  'confirmation.dismiss': 'identified',
  'confirmation.seen': 'identified',
  'confirmation.withdraw': 'service',
  'task.read': 'identified',
  'task.send': 'service',
  'task.heartbeat': 'service',
  'task.cancel': 'identified',
  'task.resume': 'service',
};

/**
 * Checks whether a principal may take a way in at all.
 * @throws NotificationError UNAUTHENTICATED or FORBIDDEN
 */
export function assertAllowed(principal: Principal, operation: Operation): void {
  const rule = POLICY[operation];
  if (rule === 'everyone') return;
  if (principal.kind === 'unauthenticated') throw new NotificationError('UNAUTHENTICATED', 'authenticate first');
  if (rule === 'service' && principal.kind === 'user') throw new NotificationError('FORBIDDEN', 'this is for services');
}

/** The operation of an action, where there is such an action. */
export function permissionOf(action: string): Operation | undefined {
  return (ACTIONS as readonly string[]).includes(action) ? `ws.${action as Action}` : undefined;
}

/** A principal as the audit trail names it. */
export function actorOf(principal: Principal): Actor | null {
  switch (principal.kind) {
    case 'user':
      return { kind: 'user', id: principal.userId };
    case 'service':
      if (principal.keyHash !== undefined) return { kind: 'key', hash: principal.keyHash };
      return { kind: 'service', ...(principal.id !== undefined && { id: principal.id }) };
    case 'anonymous':
    case 'unauthenticated':
      return null;
    default:
      return principal satisfies never;
  }
}

/** How long the application's policy may take. */
const POLICY_TIMEOUT_MS = 5000;

@Injectable()
export class Access {
  private readonly logger = new Logger(Access.name);

  constructor(@Inject(ResolvedOptions) private readonly options: ResolvedOptions) {}

  /** Whether the service runs in open mode, without an authenticator. */
  get isOpen(): boolean {
    return this.options.authenticator === undefined;
  }

  /** The users whose prompts, messages and tasks the principal may touch. */
  async scopeOf(principal: Principal): Promise<Scope> {
    switch (principal.kind) {
      case 'anonymous':
      case 'service':
        return 'all';
      case 'user':
        return [principal.userId, ...(await this.actsFor(principal.userId))];
      case 'unauthenticated':
        return [];
      default:
        return principal satisfies never;
    }
  }

  /** Checks that the principal may act as a user: its own, or in open mode any. @throws NotificationError FORBIDDEN */
  assertIsUser(principal: Principal, userId: string): void {
    if (this.isOpen || (principal.kind === 'user' && principal.userId === userId)) return;
    throw new NotificationError('FORBIDDEN', 'this is another user');
  }

  /** Checks that the scope covers a user. @throws NotFoundError */
  async assertCanReach(principal: Principal, userId: string | null, what: string): Promise<void> {
    const scope = await this.scopeOf(principal);
    if (scope === 'all' || (userId !== null && scope.includes(userId))) return;
    throw new NotFoundError(what);
  }

  /** Checks the right to a channel of the application. @throws NotificationError FORBIDDEN; UNAVAILABLE when the policy fails */
  async assertCanSubscribe(principal: Principal, channel: string): Promise<void> {
    if (this.isOpen) return;
    const { accessPolicy } = this.options;
    if (principal.kind === 'user' && (await this.ask(() => accessPolicy?.maySubscribe?.(principal.userId, channel))) === true)
      return;
    throw new NotificationError('FORBIDDEN', 'this channel is not open to you');
  }

  private async actsFor(userId: string): Promise<readonly string[]> {
    if (this.isOpen || !this.options.accessPolicy?.actsFor) return [];
    const users: unknown = await this.ask(() => this.options.accessPolicy?.actsFor?.(userId));
    return Array.isArray(users) ? users.filter(isIdentifier) : [];
  }

  /** A policy that throws, or does not answer in time, allows nothing. @throws NotificationError UNAVAILABLE */
  private async ask<Answer>(question: () => Promise<Answer> | undefined): Promise<Answer | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${POLICY_TIMEOUT_MS} ms`)), POLICY_TIMEOUT_MS);
    });
    try {
      return await Promise.race([question(), late]);
    } catch (error) {
      this.logger.error(`the access policy failed: ${error instanceof Error ? error.message : 'unknown error'}`);
      throw new NotificationError('UNAVAILABLE', 'the access policy cannot be asked');
    } finally {
      clearTimeout(timer);
    }
  }
}
