import type { IncomingMessage } from 'node:http';
import { Addresses, canonicalAddress, networkOf } from '../../src/notification/access/address-limits.js';
import { ConfigurationError } from '../../src/notification/notification.errors.js';

const settings = { trustProxy: [] as string[], maxConnectionsPerAddress: 3, handshakeRate: 0, authenticationFailures: 30 };

describe('an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:5678', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:80', '192.0.2.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    [' ::1 ', '::1'],
    ['unknown', undefined],
    ['_hidden', undefined],
    ['', undefined],
    ['192.0.2.256', undefined],
  ])('is compared as an address, not as text: %p is %p', (text, address) => {
    expect(canonicalAddress(text)).toBe(address);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ])('counts with its network: %s in %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('an IPv6 address counts together with all others of its /64', () => {
    const addresses = new Addresses(settings);
    const own = Array.from({ length: 8 }, (_, index) => addresses.enter(`2001:db8:0:1::${index}`));
    expect(own).toEqual([true, true, true, false, false, false, false, false]);
    expect(addresses.enter('2001:db8:0:2::1')).toBe(true);
    for (const index of [0, 1, 2]) addresses.leave(`2001:db8:0:1::${index}`);
    expect(addresses.enter('2001:db8:0:1::9')).toBe(true);
  });

  const of = (trustProxy: string[], peer: string, forwarded?: string): string =>
    new Addresses({ ...settings, trustProxy }).of({
      socket: { remoteAddress: peer },
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    } as IncomingMessage);

  it('is what the trusted proxy says, in whatever notation either is written', () => {
    expect(of([], '::ffff:10.0.0.1', '192.0.2.1')).toBe('10.0.0.1');
    expect(of(['10.0.0.1'], '::ffff:10.0.0.1', '192.0.2.1')).toBe('192.0.2.1');
    expect(of(['2001:db8:0:0::1'], '2001:db8::1', '[2001:DB8::5]:1234')).toBe('2001:db8::5');
    expect(of(['10.0.0.1'], '10.0.0.1', '192.0.2.9, 192.0.2.1')).toBe('192.0.2.1');
    expect(of(['10.0.0.1'], '10.0.0.2', '192.0.2.1')).toBe('10.0.0.2');
  });

  it('is the nearest proxy’s where that says something that is no address', () => {
    expect(of(['10.0.0.1'], '10.0.0.1', 'unknown')).toBe('10.0.0.1');
    expect(of(['10.0.0.0/8'], '10.0.0.1', 'nonsense, 10.0.0.7')).toBe('10.0.0.7');
  });

  it('a trusted proxy that is no address stops the start', () => {
    expect(() => new Addresses({ ...settings, trustProxy: ['nginx'] })).toThrow(ConfigurationError);
  });
});
