/** Error responses, written to Node's own response: they need no framework, and no filter that may fail. */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { hasBody } from './body-reader.js';
import { clearTimeout, setTimeout } from '../pacing/time-source.js';

/** How long a refused body may go on arriving before its connection is cut: a client that still sends misses the answer. */
const LINGER_MS = 500;
const PROBLEM = 'application/problem+json';

/** Answers with an error, and closes the connection of a request whose body was not waited for. */
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

/** The last answer that is left: it needs nothing that can fail. What has begun as another answer is cut. */
export function answerInternal(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' }).end(INTERNAL);
}

const INTERNAL = JSON.stringify({ code: 'INTERNAL', message: 'internal error' });
