/**
 * Names of confirmations: UUIDs of version 7 (RFC 9562). They begin with the time, so that the store's index grows at one end
 * and a batch of confirmations changes few of its pages. 74 random bits follow, which nobody guesses.
 */
import { randomUUID } from 'node:crypto';
import { Date } from '../pacing/time-source.js';

export function newCallbackId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${randomUUID().slice(15)}`;
}
