/** Node's own request and response, which Express extends and Fastify wraps. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** What the responses of Express and Fastify have in common. */
export interface Reply {
  status(code: number): unknown;
}

/** A response whose headers a route sets. */
export interface HeaderReply {
  header(name: string, value: string): unknown;
}

interface Wrapped<T> {
  raw?: T;
}

export function exchangeOf(host: ArgumentsHost): Exchange {
  const http = host.switchToHttp();
  const request = http.getRequest<IncomingMessage & Wrapped<IncomingMessage>>();
  const response = http.getResponse<ServerResponse & Wrapped<ServerResponse>>();
  return { request: request.raw ?? request, response: response.raw ?? response };
}

/** The route's pattern, since a path may hold what no log should. */
export function routeOf(host: ArgumentsHost): string {
  const { route, routeOptions } = host
    .switchToHttp()
    .getRequest<{ route?: { path?: string }; routeOptions?: { url?: string } }>();
  return route?.path ?? routeOptions?.url ?? '(unknown route)';
}

/** A parameter of the route's path, decoded. */
export function pathParameter(host: ArgumentsHost, name: string): string | undefined {
  return host.switchToHttp().getRequest<{ params: Record<string, string | undefined> }>().params[name];
}
