/** Errors of the REST routes: `{code, message, fields?, confirmation?}` with the code's status. */
import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuditTrail, isRefusal } from '../access/audit.js';
import { ERROR_STATUS } from '../../protocol/codes.js';
import type { Origin } from '../notification.options.js';
import type { CalledRequest } from './caller.js';
import { asProtocolError } from '../gateway/error-frame.js';

@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(HttpErrorFilter.name);

  constructor(private readonly audit: AuditTrail) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { code, message, fields, callbackId, confirmation } = asProtocolError(error);
    if (code === 'INTERNAL') this.logger.error(error);
    const request = host.switchToHttp().getRequest<CalledRequest>();
    if (isRefusal(code)) {
      const origin: Origin = request.caller?.origin ?? { by: null, means: 'rest', address: request.socket.remoteAddress };
      this.audit.record({
        event: 'refused',
        ...origin,
        what: `${request.method} ${routeOf(request)}`,
        code,
        callbackId,
      });
    }
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) return;
    if (code === 'UNAVAILABLE' || code === 'BUSY') response.setHeader('Retry-After', '1');
    response.status(ERROR_STATUS[code]).json({ code, message, fields, confirmation });
  }
}

/** The route's pattern: a path may hold what is nobody's business. */
function routeOf(request: Request): string {
  const route = request.route as { path?: string } | undefined;
  return route?.path ?? '(unknown route)';
}
