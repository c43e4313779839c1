/** Whatever a handler, pipe, guard or interceptor throws reaches the client as one of the protocol's errors. */
import { Catch, Logger, type ArgumentsHost, type WsExceptionFilter } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import type { ErrorCode } from '../../../protocol/codes.js';
import type { ClientMessage } from '../../../protocol/actions.js';
import { AuditTrail, isRefusal } from '../../access/audit.js';
import type { Connection } from '../../connection/connection.js';
import { auditActorOf } from '../audit-actor.js';
import { NotificationError } from '../../notification.errors.js';
import { errorMessage, isFault } from '../../protocol-error.js';
import { LogLine } from '../../tracing/log-line.js';

@Catch()
export class WsErrorFilter implements WsExceptionFilter {
  private readonly logger = new Logger(WsErrorFilter.name);

  constructor(private readonly audit: AuditTrail) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const error = thrown instanceof WsException ? fromWsException(thrown) : thrown;
    const ws = host.switchToWs();
    const connection = ws.getClient<Connection>();
    const frame = ws.getData<ClientMessage>();
    const reply = errorMessage(error, frame.request_id);
    if (isFault(error)) {
      const fields = { connection: connection.id, callback_id: reply.callback_id, err: error };
      this.logger.error(new LogLine(error instanceof Error ? error.message : String(error), fields));
    }
    if (isRefusal(reply.code)) {
      this.audit.record({
        event: 'refused',
        ...auditActorOf(connection),
        what: `ws.${frame.action}`,
        code: reply.code,
        callbackId: reply.callback_id,
      });
    }
    connection.incoming.inTurn(frame, () => {
      connection.reply(reply);
      if (isStrike(connection, reply.code, frame.action)) connection.strike();
    });
  }
}

/** What Nest's own guards and pipes throw on a gateway: a guard's refusal, or a message that a pipe did not accept. */
function fromWsException({ message }: WsException): NotificationError {
  return new NotificationError(message === 'Forbidden resource' ? 'FORBIDDEN' : 'INVALID_MESSAGE', message);
}

/** A refusal before authentication; a token that fails is limited in another way. */
export function isStrike({ identity }: Connection, code: ErrorCode, action?: string): boolean {
  return identity.kind === 'unauthenticated' && code === 'UNAUTHENTICATED' && action !== 'authenticate';
}
