/**
 * Errors of the REST routes: `{code, message, fields?, confirmation?}` with the code's status, and the members of RFC 9457
 * for a client that accepts `application/problem+json`. When such an answer cannot be made either, the caller gets a plain
 * `INTERNAL` in the same shape, never a framework's page.
 */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Catch, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { Addresses } from '../access/address-limits.js';
import { AuditTrail, isRefusal } from '../access/audit.js';
import { ERROR_STATUS } from '../../protocol/codes.js';
import type { AuditActor } from '../access/audit-entry.js';
import type { CalledRequest } from './caller.js';
import { asProtocolError } from '../protocol-error.js';

/** How long a refused body may go on arriving before its connection is cut: a client that still sends misses the answer. */
const LINGER_MS = 500;
/** For errors after which the same request may succeed. */
const RETRY_AFTER_S = '1';
const RETRYABLE: ReadonlySet<string> = new Set(['UNAVAILABLE', 'BUSY', 'RATE_LIMITED']);
const PROBLEM = 'application/problem+json';

@Catch()
@Injectable()
export class HttpErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(HttpErrorFilter.name);

  constructor(
    private readonly audit: AuditTrail,
    private readonly addresses: Addresses,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<ServerResponse>();
    try {
      this.answer(error, http.getRequest<CalledRequest>(), response);
    } catch (fault) {
      this.logger.error(fault);
      answerInternal(response);
    }
  }

  /** @param route the pattern that the request's path matches, where it has not been routed yet */
  answer(error: unknown, request: CalledRequest, response: ServerResponse, route = routeOf(request)): void {
    const { code, message, fields, callbackId, confirmation, status = ERROR_STATUS[code] } = asProtocolError(error);
    if (code === 'INTERNAL') this.logger.error(error);
    if (isRefusal(code)) {
      const origin: AuditActor = request.origin ?? { by: null, means: 'rest', address: this.addresses.of(request) };
      this.audit.record({
        event: 'refused',
        ...origin,
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

/** Answers with an error, and closes the connection of a request whose body was not waited for. */
export function sendError(
  request: CalledRequest,
  response: ServerResponse,
  status: number,
  error: { code: string; message: string } & Record<string, unknown>,
): void {
  const asProblem = request.headers.accept?.includes(PROBLEM) ?? false;
  const problem = asProblem && { type: 'about:blank', title: STATUS_CODES[status], status, detail: error.message };
  const body = Buffer.from(JSON.stringify({ ...problem, ...error }));
  response.statusCode = status;
  response.setHeader('Content-Type', asProblem ? PROBLEM : 'application/json; charset=utf-8');
  response.setHeader('Content-Length', body.length);
  if (request.complete || !hasBody(request)) {
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  response.setHeader('Connection', 'close');
  response.write(body);
  const end = (): void => void response.end();
  const timer = setTimeout(end, LINGER_MS);
  response.once('close', () => clearTimeout(timer));
  request.once('end', end).resume();
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The last answer that is left: it needs nothing that can fail. What has begun as another answer is cut. */
export function answerInternal(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' }).end(INTERNAL);
}

const INTERNAL = JSON.stringify({ code: 'INTERNAL', message: 'internal error' });

/** The route's pattern: a path may hold what is nobody's business. */
function routeOf(request: CalledRequest): string {
  const route = request.route as { path?: string } | undefined;
  return route?.path ?? '(unknown route)';
}
