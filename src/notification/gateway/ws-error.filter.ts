/** Whatever a handler, pipe, guard or interceptor throws reaches the client as one of the protocol's errors. */
import { Catch, Logger, type ArgumentsHost, type WsExceptionFilter } from '@nestjs/common';
import type { ErrorCode } from '../../protocol/codes.js';
import type { ClientFrame } from '../../protocol/messages.js';
import { AuditTrail, isRefusal } from '../access/audit.js';
import type { Connection } from '../connection/connection.js';
import { originOf } from './origin.js';
import { errorFrame, isFault } from './error-frame.js';

@Catch()
export class WsErrorFilter implements WsExceptionFilter {
  private readonly logger = new Logger(WsErrorFilter.name);

  constructor(private readonly audit: AuditTrail) {}

  catch(error: unknown, host: ArgumentsHost): void {
    if (isFault(error)) this.logger.error(error);
    const ws = host.switchToWs();
    const connection = ws.getClient<Connection>();
    const frame = ws.getData<ClientFrame>();
    const reply = errorFrame(error, frame.request_id);
    if (isRefusal(reply.code)) {
      this.audit.record({
        event: 'refused',
        ...originOf(connection),
        what: `ws.${frame.action}`,
        code: reply.code,
        callbackId: reply.callback_id,
      });
    }
    connection.reply(reply);
    if (isStrike(connection, reply.code, frame.action)) connection.strike();
  }
}

/** A refusal before authentication; a token that fails is limited in another way. */
export function isStrike({ identity }: Connection, code: ErrorCode, action?: string): boolean {
  return identity.kind === 'unauthenticated' && code === 'UNAUTHENTICATED' && action !== 'authenticate';
}
