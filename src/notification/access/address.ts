/**
 * Where somebody calls from, and how often: the peer's address, or what trusted proxies say it is; connections,
 * handshakes and failed authentications counted by it.
 */
import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';
import { TokenBucket } from '../connection/token-bucket.js';
import { ConfigurationError } from '../notification.errors.js';

export interface AddressSettings {
  trustProxy: readonly string[];
  maxConnectionsPerAddress: number;
  handshakeRate: number;
  authenticationFailures: number;
}

/** Addresses remembered at once; the one longest unheard of is forgotten. */
const REMEMBERED = 50_000;
/** Handshakes that may come at once: so many seconds' worth. */
const HANDSHAKE_BURST_S = 10;

export class Addresses {
  private readonly trusts: (address: string, hop: number) => boolean;
  private readonly connections = new Map<string, number>();
  private readonly handshakes: Buckets;
  private readonly failures: Buckets;

  /** @throws ConfigurationError for a proxy that is neither an address nor a subnet */
  constructor(private readonly settings: AddressSettings) {
    const { trustProxy, handshakeRate, authenticationFailures } = settings;
    try {
      this.trusts = proxyAddr.compile([...trustProxy]);
    } catch (error) {
      throw new ConfigurationError(`option trustProxy: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.handshakes = new Buckets(handshakeRate, handshakeRate * HANDSHAKE_BURST_S);
    this.failures = new Buckets(authenticationFailures / 60, authenticationFailures);
  }

  /** A forged `X-Forwarded-For` counts for nothing: only what a trusted proxy has added is read. */
  of(request: IncomingMessage): string {
    // Without a proxy to believe there is no header to read.
    return this.settings.trustProxy.length === 0 ? (request.socket.remoteAddress ?? '') : proxyAddr(request, this.trusts);
  }

  /** Whether one more handshake is taken from this address. */
  admits(address: string): boolean {
    return this.settings.handshakeRate === 0 || this.handshakes.take(address);
  }

  /** Whether this address has failed to authenticate too often. */
  isSuspicious(address: string): boolean {
    return this.failures.isEmpty(address);
  }

  failed(address: string): void {
    this.failures.take(address);
  }

  /** Counts a connection. @returns whether it is within the limit; one that is not is not counted */
  enter(address: string): boolean {
    const count = this.connections.get(address) ?? 0;
    const limit = this.settings.maxConnectionsPerAddress;
    if (limit > 0 && count >= limit) return false;
    this.connections.set(address, count + 1);
    return true;
  }

  leave(address: string): void {
    const count = (this.connections.get(address) ?? 1) - 1;
    if (count === 0) this.connections.delete(address);
    else this.connections.set(address, count);
  }
}

/** A token bucket for each address, for as many as are remembered. */
class Buckets {
  private readonly byAddress = new Map<string, TokenBucket>();

  constructor(
    private readonly rate: number,
    private readonly burst: number,
  ) {}

  take(address: string): boolean {
    const bucket = this.byAddress.get(address) ?? new TokenBucket(this.rate, this.burst);
    this.byAddress.delete(address);
    this.byAddress.set(address, bucket);
    const [oldest] = this.byAddress.keys();
    if (this.byAddress.size > REMEMBERED && oldest !== undefined) this.byAddress.delete(oldest);
    return bucket.take();
  }

  isEmpty(address: string): boolean {
    return this.byAddress.get(address)?.isEmpty() ?? false;
  }
}
