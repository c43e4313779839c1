/**
 * Decides about a handshake before the 101. A refusal is answered in HTTP.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { Addresses } from '../access/address-limits.js';
import { PageOrigins } from '../access/page-origins.js';
import { ServerPhase } from '../server/server-phase.js';
import { Tokens } from '../access/token-verifier.js';
import type { Identity } from '../connection/connection.js';
import { ERROR_STATUS, type ErrorCode } from '../../protocol/codes.js';
import { NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import type { AuthenticatedUser } from '../access/authenticator.js';

const TOKEN_PROTOCOL_PREFIX = 'bearer.';

/** Why a handshake is refused, and the HTTP answer to it. */
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

@Injectable()
export class Handshake {
  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly addresses: Addresses,
    private readonly origins: PageOrigins,
    private readonly tokens: Tokens,
    private readonly phase: ServerPhase,
  ) {}

  /** Whether a request's path is the WebSocket endpoint's. */
  serves(request: IncomingMessage): boolean {
    return isWebSocketPath(request, this.options);
  }

  /**
   * @returns the identity of the new connection
   * @throws Refusal, or any error of the authenticator
   */
  async check(request: IncomingMessage): Promise<Identity> {
    this.origins.check(request);
    if (!this.serves(request)) throw new Refusal('NOT_FOUND', 'not found');
    this.assertAccepting();
    const address = this.addresses.of(request);
    if (!this.addresses.admits(address)) throw new Refusal('RATE_LIMITED', 'too many handshakes');
    if (!this.options.authenticator) return { kind: 'anonymous' };
    const token = tokenOf(request, this.options.tokenInQuery);
    if (token === undefined) return { kind: 'unauthenticated' };
    const { announcements } = this.tokens;
    const user = await this.tokens.check(token, address, request);
    if (!user) throw new Refusal('UNAUTHENTICATED', 'invalid token', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    return identityOf(user, announcements);
  }

  /** To be repeated after each wait: a drain that has begun meanwhile would not close this connection. @throws Refusal */
  assertAccepting(): void {
    if (!this.phase.isAccepting) throw new Refusal('UNAVAILABLE', 'draining');
  }
}

/**
 * A service's token may connect as well: as a user of that name.
 * @param announcements of `Tokens`, before the token was checked
 */
export function identityOf(
  { userId, expiresAt, issuedAt }: AuthenticatedUser,
  announcements: number,
): Identity & { kind: 'user' } {
  return { kind: 'user', userId, expiresAt, issuedAt, announcements };
}

/** The refusal for an error of any kind. It shows nothing of an internal error. */
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

/** Node passes on an upgrade's socket without a listener. Without this one a peer's reset would end the process. */
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
