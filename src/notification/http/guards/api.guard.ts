/** Lets a request pass to its route if its page may use the service, and the policy allows its caller what the route does. */
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { actorOf, assertAllowed, type RoutePermission } from '../../access/access.js';
import { Addresses } from '../../access/address-limits.js';
import { Pages } from '../../access/pages.js';
import { Reading } from '../../connection/reading.js';
import { NotificationError } from '../../notification.errors.js';
import { Callers, setCaller } from '../callers.js';
import { PERMISSION } from '../decorators/require-permission.decorator.js';
import { exchangeOf } from '../exchange.js';

@Injectable()
export class ApiGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    private readonly pages: Pages,
    private readonly callers: Callers,
    private readonly addresses: Addresses,
    private readonly reading: Reading,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { request, response } = exchangeOf(context);
    // A host application may serve the route where the entrance does not recognise it.
    this.pages.check(request);
    const permission = this.reflector.get<RoutePermission | undefined>(PERMISSION, context.getHandler());
    if (permission === undefined) throw new NotificationError('FORBIDDEN', 'no policy for this route');
    const { subject, proof } = await this.callers.identify(request, response);
    const userId = subject.kind === 'user' ? subject.userId : null;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    setCaller(request, {
      subject,
      userId,
      proof,
      origin: { by: actorOf(subject), means: 'rest', address: this.addresses.of(request) },
      arrival: this.reading.arrivalOf(request),
      gone: gone.signal,
    });
    assertAllowed(subject, permission);
    return true;
  }
}
