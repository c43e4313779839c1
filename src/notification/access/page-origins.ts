/**
 * Which web pages may use the service: the one check of `Origin` and `Host`, for upgrades and for REST. It comes before
 * anything else that is decided about a request. Programs send no `Origin`, so only the rule on `Host` concerns them.
 *
 *  1. In open mode that listens on loopback only, a `Host` that is neither loopback, an IP literal nor listed is
 *     refused: a name that a hostile page pointed at this machine (DNS rebinding).
 *  2. An `Origin` passes if it is listed, if it is the service's own page, or, in open mode, if it and `Host` are both
 *     loopback.
 *  3. `X-Forwarded-Host` and `X-Forwarded-Proto` are not read: a proxy passes on `Host`.
 */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ConfigurationError, NotificationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { ListeningAddress } from './listening-address.js';
import { canonicalOrigin, hostOfOrigin, isIpLiteral, isLoopback, parseHost, type WebHost } from './web-address.js';
import { QuietLog } from '../pacing/quiet-log.js';

/** What a log line quotes of a header. */
const MAX_QUOTED = 200;

type Refused = 'origin' | 'host';

@Injectable()
export class PageOrigins {
  private readonly logger = new Logger('Pages');
  private readonly origins: ReadonlySet<string>;
  private readonly hosts: readonly WebHost[];
  private readonly refusals = new QuietLog((message) => this.logger.warn(message));

  /** @throws ConfigurationError for what is no origin or no host */
  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    private readonly listening: ListeningAddress,
  ) {
    this.origins = new Set(options.allowedOrigins.map((text) => usable('allowedOrigins', text, canonicalOrigin(text))));
    this.hosts = options.allowedHosts.map((text) => usable('allowedHosts', text, parseHost(text)));
  }

  /**
   * @returns the origin of the page that sent the request; `undefined` for a program
   * @throws NotificationError FORBIDDEN
   */
  check({ headers }: IncomingMessage): string | undefined {
    const { origin } = headers;
    if (headers.host !== undefined && this.isOpen && this.listening.isLoopbackOnly && !this.isKnown(parseHost(headers.host))) {
      this.log('host', headers.host, 'WEBSOCKET_ALLOWED_HOSTS (option allowedHosts)');
      throw new NotificationError('FORBIDDEN', 'host not allowed');
    }
    if (origin === undefined) return undefined;
    if (!this.origins.has('*') && !this.origins.has(origin) && !this.isOwn(origin, headers.host)) {
      this.log('origin', origin, 'WEBSOCKET_ALLOWED_ORIGINS (option allowedOrigins)');
      throw new NotificationError('FORBIDDEN', 'origin not allowed');
    }
    return origin;
  }

  private get isOpen(): boolean {
    return this.options.authenticator === undefined;
  }

  /** The service's own page; in open mode also another page of this machine, such as a development server's. */
  private isOwn(origin: string, hostHeader = ''): boolean {
    const host = parseHost(hostHeader);
    const page = hostOfOrigin(origin);
    if (!page || !host) return false;
    if (this.isOpen && isLoopback(page.name) && isLoopback(host.name)) return true;
    // Behind a proxy that ends TLS only the page knows the scheme, and with it the default port.
    const asSeenByPage = parseHost(hostHeader, page.scheme);
    const isSame = asSeenByPage?.name === page.name && asSeenByPage.port === page.port;
    return isSame && (!this.isOpen || this.isKnown(host));
  }

  /** Whether the name is one that a hostile page cannot have pointed at this machine. */
  private isKnown(host: WebHost | undefined): boolean {
    if (!host) return false;
    const { name, port } = host;
    if (isLoopback(name) || isIpLiteral(name)) return true;
    return this.hosts.some((listed) => listed.name === name && (listed.port === undefined || listed.port === port));
  }

  private log(what: Refused, value: string, setting: string): void {
    const quoted = JSON.stringify(value.slice(0, MAX_QUOTED));
    this.refusals.log(what, `refused the ${what} ${quoted}: ${setting} lists those allowed`);
  }
}

function usable<T>(option: string, text: string, parsed: T | undefined): T {
  if (parsed === undefined) throw new ConfigurationError(`option ${option}: ${JSON.stringify(text)} cannot be used`);
  return parsed;
}
