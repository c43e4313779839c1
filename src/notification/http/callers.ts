/**
 * Identifies the callers of REST routes. In open mode every caller is a service. In secure mode an API key or a service's
 * token identifies a service, and a user's own token that user. `access.ts` decides what they may do.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { actorOf, type Principal } from '../access/access.js';
import { Addresses } from '../access/address-limits.js';
import { Budgets } from '../access/budgets.js';
import type { Proof } from '../access/rights.js';
import { Tokens } from '../access/token-verifier.js';
import type { Arrival } from '../engine/deadlines.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import type { AuditActor } from '../access/audit-entry.js';
import { headerText } from './header-text.js';

export interface Caller {
  principal: Exclude<Principal, { kind: 'anonymous' | 'unauthenticated' }>;
  /** `null` for a service. */
  userId: string | null;
  /** For the audit trail. */
  actor: AuditActor;
  /** The token on which the rights rest. API keys and open mode have none: their rights do not end. */
  proof?: Proof;
  /** When the request reached this node. */
  arrival?: Arrival;
  /** Aborts when the response has ended or its client has gone away. */
  gone: AbortSignal;
}

type Identified = Pick<Caller, 'principal' | 'proof'>;

/** A request with what is known of its caller. */
type CalledRequest = IncomingMessage & { [CALLER]?: Caller; [ACTOR]?: AuditActor };

const CALLER = Symbol('the caller of a guarded route');
const ACTOR = Symbol('the actor of a request');

/** Identifies the caller once for each request, from its headers alone. */
@Injectable()
export class Callers {
  private readonly keyHashes: Buffer[];
  private readonly known = new WeakMap<IncomingMessage, Promise<Identified>>();

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly tokens: Tokens,
    private readonly budgets: Budgets,
    private readonly addresses: Addresses,
  ) {
    this.keyHashes = options.apiKeys.map(hash);
  }

  /** @throws NotificationError UNAUTHENTICATED, RATE_LIMITED, UNAVAILABLE */
  identify(request: IncomingMessage, response: ServerResponse): Promise<Identified> {
    const known = this.known.get(request);
    if (known) return known;
    const identified = this.identifyWithinBudget(request, response);
    this.known.set(request, identified);
    return identified;
  }

  private async identifyWithinBudget(request: CalledRequest, response: ServerResponse): Promise<Identified> {
    try {
      const identified = await this.principalOf(request);
      request[ACTOR] = { by: actorOf(identified.principal), means: 'rest', address: this.addresses.of(request) };
      this.spend(identified.principal, request, response);
      return identified;
    } catch (error) {
      if (error instanceof NotificationError && error.code === 'UNAUTHENTICATED')
        this.spend({ kind: 'unauthenticated' }, request, response);
      throw error;
    }
  }

  /** Spends one call of an identity's budget, which its connections share. @throws NotificationError RATE_LIMITED */
  private spend(principal: Principal, request: IncomingMessage, response: ServerResponse): void {
    const address = this.addresses.of(request);
    if (this.budgets.take(principal, address)) return;
    const waitS = Math.ceil(this.budgets.waitMs(principal, address) / 1000);
    response.setHeader('Retry-After', String(Math.max(waitS, 1)));
    throw new NotificationError('RATE_LIMITED', 'too many calls');
  }

  private async principalOf(request: IncomingMessage): Promise<Identified> {
    const isOpen = this.options.authenticator === undefined && this.keyHashes.length === 0;
    if (isOpen) return { principal: { kind: 'service' } };
    const token = headerText(request, 'X-API-Key') ?? /^Bearer +(\S+)$/i.exec(headerText(request, 'Authorization') ?? '')?.[1];
    if (token !== undefined && this.isKey(token))
      return { principal: { kind: 'service', keyHash: hash(token).toString('hex').slice(0, 8) } };
    const user = token === undefined ? undefined : await this.tokens.check(token, this.addresses.of(request), request);
    if (!user) throw new NotificationError('UNAUTHENTICATED', 'an API key or a valid token is needed');
    const { userId } = user;
    return { principal: user.isService === true ? { kind: 'service', id: userId } : { kind: 'user', userId }, proof: user };
  }

  /** Compares with every key, in constant time. */
  private isKey(token: string): boolean {
    const given = hash(token);
    return this.keyHashes.reduce((found, key) => timingSafeEqual(given, key) || found, false);
  }
}

export function setCaller(request: CalledRequest, caller: Caller): void {
  request[CALLER] = caller;
}

/** @throws TypeError on a route without `ApiGuard` */
export function callerOf(request: CalledRequest): Caller {
  const { [CALLER]: caller } = request;
  if (!caller) throw new TypeError('@CurrentCaller() needs ApiGuard');
  return caller;
}

/** For the audit trail. @returns `undefined` before the caller is identified */
export const auditActorOf = (request: CalledRequest): AuditActor | undefined => request[ACTOR];

const hash = (key: string): Buffer => createHash('sha256').update(key).digest();
