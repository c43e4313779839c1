/** Asks the policy whether a connection may take an action at all, before its frame is even looked at. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { mustBeAllowed, operationOf } from '../access/access.js';
import type { Connection } from '../connection/connection.js';
import { NotificationError } from '../notification.errors.js';

@Injectable()
export class ActionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const ws = context.switchToWs();
    const operation = operationOf(ws.getPattern());
    if (!operation) throw new NotificationError('FORBIDDEN', 'no policy for this action');
    mustBeAllowed(ws.getClient<Connection>().identity, operation);
    return true;
  }
}
