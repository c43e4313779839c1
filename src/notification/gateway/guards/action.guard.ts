/** Asks the policy whether a connection may take an action at all, before its frame is even looked at. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { assertAllowed, permissionOf } from '../../access/access.js';
import type { Connection, Identity } from '../../connection/connection.js';
import { NotificationError } from '../../notification.errors.js';
import { Date } from '../../pacing/time-source.js';

@Injectable()
export class ActionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const ws = context.switchToWs();
    const operation = permissionOf(ws.getPattern());
    if (!operation) throw new NotificationError('FORBIDDEN', 'no policy for this action');
    const { identity } = ws.getClient<Connection>();
    assertAllowed(hasEnded(identity) ? { kind: 'unauthenticated' } : identity, operation);
    return true;
  }
}

/** A token's end counts from its moment on; the timer that closes the connection comes a little later. */
function hasEnded(identity: Identity): boolean {
  return identity.kind === 'user' && (identity.expiresAt ?? Infinity) <= Date.now();
}
