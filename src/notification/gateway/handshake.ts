/**
 * Who comes in: everything that is decided about a handshake before the 101, and answered in HTTP when it is a no.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Addresses } from '../access/address-limits.js';
import type { Pages } from '../access/pages.js';
import type { Tokens } from '../access/token-verifier.js';
import type { Identity } from '../connection/connection.js';
import { ERROR_STATUS, type ErrorCode } from '../../protocol/codes.js';
import { NotificationError } from '../notification.errors.js';
import type { ResolvedOptions } from '../notification.options.js';
import type { AuthenticatedUser } from '../access/authenticator.js';

const TOKEN_PROTOCOL_PREFIX = 'bearer.';

export interface HandshakeContext {
  options: ResolvedOptions;
  addresses: Addresses;
  pages: Pages;
  tokens: Tokens;
  /** Whether new connections are taken. */
  accepting: () => boolean;
}

/** A no, as an HTTP answer. */
export class Refusal extends Error {
  readonly status: number;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = ERROR_STATUS[code];
  }
}

/**
 * @returns who the new connection is
 * @throws Refusal, or whatever went wrong on our side
 */
export async function checkHandshake(
  request: IncomingMessage,
  { accepting, addresses, options, pages, tokens }: HandshakeContext,
): Promise<Identity> {
  pages.check(request);
  if (!accepting()) throw new Refusal('UNAVAILABLE', 'draining');
  if (!addresses.admits(addresses.of(request))) throw new Refusal('RATE_LIMITED', 'too many handshakes');
  if (!options.authenticator) return { kind: 'anonymous' };
  const token = tokenOf(request, options.tokenInQuery);
  if (token === undefined) return { kind: 'unauthenticated' };
  const user = await tokens.check(token, request);
  if (!user) throw new Refusal('UNAUTHENTICATED', 'invalid token', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
  // Draining may have begun while the token was checked: who comes in now would be sent away by nobody.
  if (!accepting()) throw new Refusal('UNAVAILABLE', 'draining');
  return identityOf(user);
}

/** A service's token may connect as well; there it is a user of that name. */
export function identityOf({ userId, expiresAt, issuedAt }: AuthenticatedUser): Identity & { kind: 'user' } {
  return { kind: 'user', userId, expiresAt, issuedAt };
}

/** An error of any kind as the refusal that the peer gets: nothing of its insides. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof NotificationError) return new Refusal(error.code, error.message);
  return new Refusal('INTERNAL', 'internal error');
}

/** Writes a refusal and ends the connection. */
export function refuse(socket: Duplex, { status, code, message, headers }: Refusal): void {
  const body = JSON.stringify({ code, message });
  if (socket.destroyed) return;
  socket.on('error', ignoreReset);
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(RETRYABLE.has(code) && { 'Retry-After': '1' }),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`);
}

/** Node hands an upgrade's socket over without a listener: a peer's reset would end the process. `destroyed` tells of it. */
export function ignoreReset(): void {
  return;
}

/** The path alone; a request target that is no path at all matches nothing. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** Whether a request's path is the WebSocket endpoint's. */
export function isWebSocketPath(request: IncomingMessage, { paths }: Pick<ResolvedOptions, 'paths'>): boolean {
  const path = pathOf(request);
  return paths.some((own) => path === own || path === `${own === '/' ? '' : own}/`);
}

/** Codes after which the same handshake may succeed. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['RATE_LIMITED', 'BUSY', 'UNAVAILABLE']);

function tokenOf(request: IncomingMessage, inQuery: boolean): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header !== undefined) return header;
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  const protocol = offered.find((name) => name.startsWith(TOKEN_PROTOCOL_PREFIX));
  if (protocol !== undefined) return protocol.slice(TOKEN_PROTOCOL_PREFIX.length);
  return inQuery ? (new URLSearchParams(request.url?.split('?')[1]).get('token') ?? undefined) : undefined;
}
