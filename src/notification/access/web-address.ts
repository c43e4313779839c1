/**
 * Hosts and origins as browsers write them: lowercase, the scheme's default port omitted, international names in
 * punycode, IP addresses in their canonical form.
 */
import { isIP, isIPv4 } from 'node:net';

/** A `Host` header, or the host of an origin. */
export interface WebHost {
  /** Without the port, a trailing dot and an IPv6 address's brackets. */
  name: string;
  /** `undefined`: the scheme's default. */
  port: string | undefined;
}

const WEB_SCHEMES = ['http:', 'https:'];
/** A scheme, `://`, and a host with an optional port; no path, user or query. */
const ORIGIN = /^([a-z][a-z0-9+.-]*:)\/\/([^/\\?#@\s,]+)$/i;
const HOST = /^[^/\\?#@\s,]+$/;

/** @returns `undefined` for text that is no host, or has a port that is none */
export function parseHost(text: string, scheme = 'http:'): WebHost | undefined {
  if (!HOST.test(text)) return undefined;
  try {
    const { hostname, port } = new URL(`${scheme}//${text}`);
    const name = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
    return name === '' ? undefined : { name, port: port === '' ? undefined : port };
  } catch {
    return undefined;
  }
}

/** The host of a page that came over http or https. @returns `undefined` for any other origin */
export function hostOfOrigin(origin: string): (WebHost & { scheme: string }) | undefined {
  const [, scheme = '', host = ''] = ORIGIN.exec(origin) ?? [];
  if (!WEB_SCHEMES.includes(scheme)) return undefined;
  const parsed = parseHost(host, scheme);
  return parsed && { scheme, ...parsed };
}

/**
 * An origin that somebody wrote down, as a browser would send it. `null`, `file://` and `*` stay as they are.
 * @returns `undefined` for text that is no origin
 */
export function canonicalOrigin(text: string): string | undefined {
  if (text === 'null' || text === '*' || text === 'file://') return text;
  const [, scheme = '', host = ''] = ORIGIN.exec(text) ?? [];
  if (scheme === '') return undefined;
  const lower = scheme.toLowerCase();
  if (!WEB_SCHEMES.includes(lower)) return `${lower}//${host.toLowerCase()}`;
  try {
    return new URL(`${lower}//${host}`).origin;
  } catch {
    return undefined;
  }
}

/** Whether a name or address always means the machine itself: `localhost`, `*.localhost`, 127.0.0.0/8, ::1. */
export function isLoopback(name: string): boolean {
  if (isIPv4(name)) return name.startsWith('127.');
  if (name === '::1' || name.startsWith('::ffff:7f')) return true;
  return /^::ffff:127\./.test(name) || name === 'localhost' || name.endsWith('.localhost');
}

export const isIpLiteral = (name: string): boolean => isIP(name) !== 0;
