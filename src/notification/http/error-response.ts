/** Error responses, written to Node's own response. They need no framework and no filter, which may fail. */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { hasBody } from './body-reader.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';

/** How long a refused body may go on arriving before its connection is cut. A client that still sends would miss the response. */
const LINGER_MS = 500;
const PROBLEM = 'application/problem+json';

/** Sends an error, and closes the connection if the request's body has not arrived completely. */
export function sendError(
  request: IncomingMessage,
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

/** The last resort: it needs nothing that can fail. A response that has already begun is cut. */
export function answerInternal(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' }).end(INTERNAL);
}

const INTERNAL = JSON.stringify({ code: 'INTERNAL', message: 'internal error' });
