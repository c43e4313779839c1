/**
 * Who comes in: everything that is decided about a handshake before the 101, and answered in HTTP when it is a no.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Addresses } from '../access/address.js';
import type { Tokens } from '../access/tokens.js';
import type { Identity } from '../connection/connection.js';
import { NotificationError } from '../notification.errors.js';
import type { AuthenticatedUser, ResolvedOptions } from '../notification.options.js';

const TOKEN_PROTOCOL_PREFIX = 'bearer.';

export interface AdmissionContext {
  options: ResolvedOptions;
  addresses: Addresses;
  tokens: Tokens;
  /** Whether new connections are taken. */
  accepting: () => boolean;
}

/** A no, as an HTTP answer. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/**
 * @returns who the new connection is
 * @throws Refusal, or whatever went wrong on our side
 */
export async function admit(
  request: IncomingMessage,
  { accepting, addresses, options, tokens }: AdmissionContext,
): Promise<Identity> {
  if (!accepting()) throw new Refusal(503, 'draining', RETRY);
  if (!addresses.admits(addresses.of(request))) throw new Refusal(429, 'too many handshakes', RETRY);
  if (!originAllowed(request, options)) throw new Refusal(403, 'origin not allowed');
  if (!options.authenticator) return { kind: 'anonymous' };
  const token = tokenOf(request, options.tokenInQuery);
  if (token === undefined) return { kind: 'unauthenticated' };
  const user = await tokens.check(token, request);
  if (!user) throw new Refusal(401, 'invalid token', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
  // Draining may have begun while the token was checked: who comes in now would be sent away by nobody.
  if (!accepting()) throw new Refusal(503, 'draining', RETRY);
  return identityOf(user);
}

/** A service's token may connect as well; there it is a user of that name. */
export function identityOf({ userId, expiresAt, issuedAt }: AuthenticatedUser): Identity & { kind: 'user' } {
  return { kind: 'user', userId, expiresAt, issuedAt };
}

/** An error of any kind as the refusal that the peer gets: nothing of its insides. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof NotificationError) return new Refusal(error.status, error.message, RETRY);
  return new Refusal(500, 'internal error');
}

/** Writes a refusal and ends the connection. */
export function refuse(socket: Duplex, { status, message, headers }: Refusal): void {
  if (socket.destroyed) return;
  socket.on('error', ignoreReset);
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain',
    'Content-Length': String(Buffer.byteLength(message)),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${message}`);
}

/** Node hands an upgrade's socket over without a listener: a peer's reset would end the process. `destroyed` tells of it. */
export function ignoreReset(): void {
  return;
}

/** The path alone; a request target that is no path at all matches nothing. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

const RETRY = { 'Retry-After': '1' };

/** Browsers always send an `Origin`; nobody else need. It is compared to the letter: no case, no port, no dot is forgiven. */
function originAllowed(request: IncomingMessage, { allowedOrigins, authenticator }: ResolvedOptions): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return true;
  if (allowedOrigins.length === 0) return authenticator === undefined;
  return allowedOrigins.includes(origin);
}

function tokenOf(request: IncomingMessage, inQuery: boolean): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (header !== undefined) return header;
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  const protocol = offered.find((name) => name.startsWith(TOKEN_PROTOCOL_PREFIX));
  if (protocol !== undefined) return protocol.slice(TOKEN_PROTOCOL_PREFIX.length);
  return inQuery ? (new URLSearchParams(request.url?.split('?')[1]).get('token') ?? undefined) : undefined;
}
