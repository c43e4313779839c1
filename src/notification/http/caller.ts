/**
 * Who calls by REST, and what they may touch. Open mode: everybody is a service. Secure mode: an API key makes a service;
 * a user's own token makes that user, who reaches only the routes marked `@OwnUser()` and there only what is theirs.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { createParamDecorator, Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Scope } from '../engine/engine.js';
import { NotFoundError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';

export interface Caller {
  /** `null`: a service. */
  userId: string | null;
  scope: Scope;
}

const OWN_USER = 'notification:ownUser';

/** A route that a user's own token reaches, for what is theirs. */
export const OwnUser = (): MethodDecorator => SetMetadata(OWN_USER, true);

type CalledRequest = Request & { caller?: Caller };

/** The caller of a guarded route. */
export const Calling = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (!caller) throw new TypeError('@Calling() needs RestGuard');
  return caller;
});

@Injectable()
export class RestGuard implements CanActivate {
  private readonly keyHashes: Buffer[];

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {
    this.keyHashes = options.apiKeys.map(hash);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<CalledRequest>();
    request.caller = await this.identify(request);
    if (request.caller.userId !== null && this.reflector.get(OWN_USER, context.getHandler()) !== true) {
      throw new NotificationError('FORBIDDEN', 'a user token does not reach this route');
    }
    return true;
  }

  private async identify(request: Request): Promise<Caller> {
    const { authenticator } = this.options;
    if (!authenticator && this.keyHashes.length === 0) return { userId: null, scope: 'all' };
    const token = request.header('x-api-key') ?? /^Bearer +(\S+)$/i.exec(request.header('authorization') ?? '')?.[1];
    if (token !== undefined && this.isKey(token)) return { userId: null, scope: 'all' };
    const user = token === undefined ? undefined : await authenticator?.authenticate(token, request);
    if (!user) throw new NotificationError('UNAUTHENTICATED', 'an API key or a valid token is needed');
    return { userId: user.userId, scope: [user.userId] };
  }

  /** Compares with every key, in constant time. */
  private isKey(token: string): boolean {
    const given = hash(token);
    return this.keyHashes.reduce((found, key) => timingSafeEqual(given, key) || found, false);
  }
}

/** For routes of one user: somebody else's do not exist. */
export function mustBeOwn(caller: Caller, userId: string): void {
  if (caller.scope !== 'all' && !caller.scope.includes(userId)) throw new NotFoundError('user');
}

const hash = (key: string): Buffer => createHash('sha256').update(key).digest();
