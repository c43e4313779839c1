/** Admits a request if its page may use the service and the policy allows its caller the route's permission. */
import { Inject, Injectable, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common';
import { ModuleRef, Reflector } from '@nestjs/core';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { actorOf, assertAllowed, type RoutePermission } from '../../access/access.js';
import { Addresses } from '../../access/address-limits.js';
import { PageOrigins } from '../../access/page-origins.js';
import { Reading } from '../../connection/reading.js';
import { NotificationError } from '../../notification.errors.js';
import { Callers, setCaller } from '../callers.js';
import { PERMISSION } from '../decorators/require-permission.decorator.js';
import { exchangeOf } from '../exchange.js';

/** Guards that an application gives for the REST routes. */
export type RestGuards = readonly (Type<CanActivate> | CanActivate)[];

/** DI token of `RestGuards`. */
export const REST_GUARDS = Symbol('REST_GUARDS');

@Injectable()
export class ApiGuard implements CanActivate {
  private readonly instances = new Map<Type<CanActivate>, CanActivate>();

  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    private readonly origins: PageOrigins,
    private readonly callers: Callers,
    private readonly addresses: Addresses,
    private readonly reading: Reading,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
    @Inject(REST_GUARDS) private readonly guards: RestGuards,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { request, response } = exchangeOf(context);
    // A host application may serve the route where the entrance does not recognise it.
    this.origins.check(request);
    const permission = this.reflector.get<RoutePermission | undefined>(PERMISSION, context.getHandler());
    if (permission === undefined) throw new NotificationError('FORBIDDEN', 'no policy for this route');
    const { principal, proof } = await this.callers.identify(request, response);
    const userId = principal.kind === 'user' ? principal.userId : null;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    setCaller(request, {
      principal,
      userId,
      proof,
      actor: { by: actorOf(principal), means: 'rest', address: this.addresses.of(request) },
      arrival: this.reading.arrivalOf(request),
      gone: gone.signal,
    });
    assertAllowed(principal, permission);
    return this.passesGuards(context);
  }

  private async passesGuards(context: ExecutionContext): Promise<boolean> {
    for (const given of this.guards) {
      const guard = typeof given === 'function' ? await this.instanceOf(given) : given;
      const passes = await guard.canActivate(context);
      if (!(isObservable(passes) ? await lastValueFrom(passes) : passes)) return false;
    }
    return true;
  }

  /** The application's provider, if there is one; otherwise an instance of this guard's own. */
  private async instanceOf(type: Type<CanActivate>): Promise<CanActivate> {
    const known = this.instances.get(type);
    if (known) return known;
    let instance: CanActivate;
    try {
      instance = this.modules.get(type, { strict: false });
    } catch (error) {
      if (!(error instanceof UnknownElementException)) throw error;
      instance = await this.modules.create(type);
    }
    this.instances.set(type, instance);
    return instance;
  }
}
