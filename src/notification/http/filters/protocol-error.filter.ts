/**
 * Errors of the REST routes: `{code, message, fields?, confirmation?}` with the code's status, and the members of RFC 9457
 * for a client that accepts `application/problem+json`. When such an answer cannot be made either, the caller gets a plain
 * `INTERNAL` in the same shape, never a framework's page.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Catch, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { Addresses } from '../../access/address-limits.js';
import { AuditTrail, isRefusal } from '../../access/audit.js';
import { ERROR_STATUS } from '../../../protocol/codes.js';
import type { AuditActor } from '../../access/audit-entry.js';
import { asProtocolError } from '../../protocol-error.js';
import { auditActorOf } from '../callers.js';
import { answerInternal, sendError } from '../error-response.js';
import { exchangeOf, routeOf } from '../exchange.js';

/** For errors after which the same request may succeed. */
const RETRY_AFTER_S = '1';
const RETRYABLE: ReadonlySet<string> = new Set(['UNAVAILABLE', 'BUSY', 'RATE_LIMITED']);

@Catch()
@Injectable()
export class ProtocolErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProtocolErrorFilter.name);

  constructor(
    private readonly audit: AuditTrail,
    private readonly addresses: Addresses,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { request, response } = exchangeOf(host);
    // Fastify must not write this response itself.
    host.switchToHttp().getResponse<{ hijack?: () => unknown }>().hijack?.();
    try {
      this.answer(error, request, response, routeOf(host));
    } catch (fault) {
      this.logger.error(fault);
      answerInternal(response);
    }
  }

  /** @param route the pattern that the request's path matches */
  answer(error: unknown, request: IncomingMessage, response: ServerResponse, route = '(unknown route)'): void {
    const { code, message, fields, callbackId, confirmation, status = ERROR_STATUS[code] } = asProtocolError(error);
    if (code === 'INTERNAL') this.logger.error(error);
    if (isRefusal(code)) {
      const actor: AuditActor = auditActorOf(request) ?? { by: null, means: 'rest', address: this.addresses.of(request) };
      this.audit.record({
        event: 'refused',
        ...actor,
        what: `${request.method} ${route}`,
        code,
        callbackId,
      });
    }
    if (response.headersSent) return;
    if (RETRYABLE.has(code) && !response.hasHeader('Retry-After')) response.setHeader('Retry-After', RETRY_AFTER_S);
    sendError(request, response, status, { code, message, fields, confirmation });
  }
}
