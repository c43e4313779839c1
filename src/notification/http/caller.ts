/**
 * Who calls by REST. Open mode: everybody is a service. Secure mode: an API key or a service's token makes a service, a
 * user's own token makes that user. What they may do is the policy's business (`access.ts`).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { createParamDecorator, Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { actorOf, mustBeAllowed, type RouteOperation, type Subject } from '../access/access.js';
import { Addresses } from '../access/address-limits.js';
import { Budgets } from '../access/budgets.js';
import { Pages } from '../access/pages.js';
import type { Proof } from '../access/rights.js';
import { Tokens } from '../access/token-verifier.js';
import { Reading } from '../connection/reading.js';
import type { Arrival } from '../engine/deadlines.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import type { AuditActor } from '../access/audit-entry.js';
import { headerText } from './header-text.js';

export interface Caller {
  subject: Exclude<Subject, { kind: 'anonymous' | 'unauthenticated' }>;
  /** `null`: a service. */
  userId: string | null;
  /** For the audit trail. */
  origin: AuditActor;
  /** What the rights rest on; absent where they do not end: API keys and open mode. */
  proof?: Proof;
  /** When the request reached this node. */
  arrival?: Arrival;
}

type Identified = Pick<Caller, 'subject' | 'proof'>;

const OPERATION = 'notification:operation';

/** Names what a route does; the policy has a rule for each name, and a route without one is refused. */
export const Operation = (operation: RouteOperation): MethodDecorator => SetMetadata(OPERATION, operation);

export type CalledRequest = Request & {
  caller?: Caller;
  /** For the audit trail, as soon as it is known who calls. */
  origin?: AuditActor;
};

/** Finds out who calls, once for each request and from its headers alone. */
@Injectable()
export class Callers {
  private readonly keyHashes: Buffer[];
  private readonly known = new WeakMap<CalledRequest, Promise<Identified>>();

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly tokens: Tokens,
    private readonly budgets: Budgets,
    private readonly addresses: Addresses,
  ) {
    this.keyHashes = options.apiKeys.map(hash);
  }

  /** @throws NotificationError UNAUTHENTICATED, RATE_LIMITED, UNAVAILABLE */
  identify(request: CalledRequest): Promise<Identified> {
    const known = this.known.get(request);
    if (known) return known;
    const identified = this.identifyWithinBudget(request);
    this.known.set(request, identified);
    return identified;
  }

  private async identifyWithinBudget(request: CalledRequest): Promise<Identified> {
    try {
      const identified = await this.subjectOf(request);
      request.origin = { by: actorOf(identified.subject), means: 'rest', address: this.addresses.of(request) };
      this.spend(identified.subject, request);
      return identified;
    } catch (error) {
      if (error instanceof NotificationError && error.code === 'UNAUTHENTICATED')
        this.spend({ kind: 'unauthenticated' }, request);
      throw error;
    }
  }

  /** One call of an identity's budget, which its sockets share. @throws NotificationError RATE_LIMITED */
  private spend(subject: Subject, request: CalledRequest): void {
    const address = this.addresses.of(request);
    if (this.budgets.take(subject, address)) return;
    const waitS = Math.ceil(this.budgets.waitMs(subject, address) / 1000);
    request.res?.setHeader('Retry-After', String(Math.max(waitS, 1)));
    throw new NotificationError('RATE_LIMITED', 'too many calls');
  }

  private async subjectOf(request: CalledRequest): Promise<Identified> {
    const isOpen = this.options.authenticator === undefined && this.keyHashes.length === 0;
    if (isOpen) return { subject: { kind: 'service' } };
    const token = headerText(request, 'X-API-Key') ?? /^Bearer +(\S+)$/i.exec(headerText(request, 'Authorization') ?? '')?.[1];
    if (token !== undefined && this.isKey(token))
      return { subject: { kind: 'service', keyHash: hash(token).toString('hex').slice(0, 8) } };
    const user = token === undefined ? undefined : await this.tokens.check(token, request);
    if (!user) throw new NotificationError('UNAUTHENTICATED', 'an API key or a valid token is needed');
    const { userId } = user;
    return { subject: user.isService === true ? { kind: 'service', id: userId } : { kind: 'user', userId }, proof: user };
  }

  /** Compares with every key, in constant time. */
  private isKey(token: string): boolean {
    const given = hash(token);
    return this.keyHashes.reduce((found, key) => timingSafeEqual(given, key) || found, false);
  }
}

/** The caller of a guarded route. */
export const Calling = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (!caller) throw new TypeError('@Calling() needs RestGuard');
  return caller;
});

@Injectable()
export class RestGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    private readonly pages: Pages,
    private readonly callers: Callers,
    private readonly addresses: Addresses,
    private readonly reading: Reading,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<CalledRequest>();
    // A host application may serve the route where the entrance does not recognise it.
    this.pages.check(request);
    const operation = this.reflector.get<RouteOperation | undefined>(OPERATION, context.getHandler());
    if (operation === undefined) throw new NotificationError('FORBIDDEN', 'no policy for this route');
    const { subject, proof } = await this.callers.identify(request);
    const userId = subject.kind === 'user' ? subject.userId : null;
    const origin: AuditActor = { by: actorOf(subject), means: 'rest', address: this.addresses.of(request) };
    request.caller = { subject, userId, proof, origin, arrival: this.reading.arrivalOf(request) };
    mustBeAllowed(subject, operation);
    return true;
  }
}

const hash = (key: string): Buffer => createHash('sha256').update(key).digest();
