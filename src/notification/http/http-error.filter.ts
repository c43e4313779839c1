/** Errors of the REST routes: `{code, message, fields?, confirmation?}` with the code's status. */
import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { ERROR_STATUS } from '../../protocol/codes.js';
import { asProtocolError } from '../gateway/error-frame.js';

@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(HttpErrorFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const { code, message, fields, confirmation } = asProtocolError(error);
    if (code === 'INTERNAL') this.logger.error(error);
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) return;
    if (code === 'UNAVAILABLE' || code === 'BUSY') response.setHeader('Retry-After', '1');
    response.status(ERROR_STATUS[code]).json({ code, message, fields, confirmation });
  }
}
