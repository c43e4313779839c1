/** Whatever a handler, pipe, guard or interceptor throws reaches the client as one of the protocol's errors. */
import { Catch, Logger, type ArgumentsHost, type WsExceptionFilter } from '@nestjs/common';
import type { ClientFrame } from '../../protocol/messages.js';
import type { Connection } from '../connection/connection.js';
import { errorFrame, isFault } from './error-frame.js';

@Catch()
export class WsErrorFilter implements WsExceptionFilter {
  private readonly logger = new Logger(WsErrorFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    if (isFault(error)) this.logger.error(error);
    const ws = host.switchToWs();
    ws.getClient<Connection>().reply(errorFrame(error, ws.getData<ClientFrame>().request_id));
  }
}
