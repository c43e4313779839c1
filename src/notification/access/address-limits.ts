/**
 * A caller's address, which is the peer's or the one that trusted proxies report, and what is counted by address:
 * connections, handshakes and failed authentications.
 */
import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import proxyAddr from 'proxy-addr';
import { ConfigurationError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { Buckets } from './buckets.js';

export interface AddressSettings {
  trustProxy: readonly string[];
  maxConnectionsPerAddress: number;
  handshakeRate: number;
  authenticationFailures: number;
}

/** The burst of handshakes, in seconds' worth of the rate. */
const HANDSHAKE_BURST_S = 10;

@Injectable()
export class Addresses {
  private readonly trusts: (address: string, hop: number) => boolean;
  private readonly connections = new Map<string, number>();
  private readonly handshakes: Buckets;
  private readonly failures: Buckets;

  /** @throws ConfigurationError for a proxy that is neither an address nor a subnet */
  constructor(@Inject(ResolvedOptions) private readonly settings: AddressSettings) {
    const { trustProxy, handshakeRate, authenticationFailures } = settings;
    try {
      this.trusts = proxyAddr.compile([...trustProxy]);
    } catch (error) {
      throw new ConfigurationError(`option trustProxy: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.handshakes = new Buckets(handshakeRate, handshakeRate * HANDSHAKE_BURST_S);
    this.failures = new Buckets(authenticationFailures / 60, authenticationFailures);
  }

  /** Reads only what a trusted proxy has added to `X-Forwarded-For`, so a forged header has no effect. */
  of(request: IncomingMessage): string {
    const peer = request.socket.remoteAddress ?? '';
    // Without a proxy to believe there is no header to read.
    if (this.settings.trustProxy.length === 0) return canonicalAddress(peer) ?? peer;
    // From the peer to the client, as far as each is trusted; what is no address ends the list.
    const hops = proxyAddr.all(request, this.trusts).map(canonicalAddress);
    const end = hops.indexOf(undefined);
    return hops[(end < 0 ? hops.length : end) - 1] ?? peer;
  }

  /** Whether one more handshake is taken from this address. */
  admits(address: string): boolean {
    return this.settings.handshakeRate === 0 || this.handshakes.take(networkOf(address));
  }

  /** Whether this address has failed to authenticate too often. */
  isSuspicious(address: string): boolean {
    return this.failures.isEmpty(networkOf(address));
  }

  failed(address: string): void {
    this.failures.take(networkOf(address));
  }

  /** Counts a connection. @returns whether it is within the limit; one that is not is not counted */
  enter(address: string): boolean {
    const network = networkOf(address);
    const count = this.connections.get(network) ?? 0;
    const limit = this.settings.maxConnectionsPerAddress;
    if (limit > 0 && count >= limit) return false;
    this.connections.set(network, count + 1);
    return true;
  }

  leave(address: string): void {
    const network = networkOf(address);
    const count = (this.connections.get(network) ?? 1) - 1;
    if (count === 0) this.connections.delete(network);
    else this.connections.set(network, count);
  }
}

/**
 * An IP address in its one canonical form: an IPv4-mapped IPv6 address as IPv4, IPv6 lowercase and shortened. A port, as
 * some proxies add it, and an IPv6 zone are left out.
 * @returns `undefined` for text that is no address
 */
export function canonicalAddress(text: string): string | undefined {
  const bare = text.trim().replace(/^\[(.*)\](:\d+)?$/, '$1');
  const address = (isIP(bare) === 0 ? bare.replace(/^([\d.]+):\d+$/, '$1') : bare).replace(/%.*$/, '');
  if (isIPv4(address)) return address;
  if (isIP(address) === 0) return undefined;
  const { hostname } = new URL(`http://[${address}]`);
  const canonical = hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  return high === undefined || low === undefined ? canonical : dotted(parseInt(high, 16), parseInt(low, 16));
}

/** Whether a text names proxies: an address, a subnet or the name of one. */
export function isProxy(text: string): boolean {
  try {
    proxyAddr.compile([text]);
    return true;
  } catch {
    return false;
  }
}

/** What counts as one for limits: an IPv4 address, the /64 of an IPv6 address (one subscriber has all of it). */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const groups = (text = ''): string[] => text.split(':').filter((group) => group !== '');
  const [before, after] = [groups(head), groups(tail)];
  const all = tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return `${all.slice(0, 4).join(':')}::/64`;
}

const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');
