/**
 * What makes a webhook believable, as Standard Webhooks 1.0 has it: HMAC-SHA256 over `<id>.<timestamp>.<body>`, once for
 * each secret, so that a receiver may know the old one or the new one while secrets change.
 */
import { createHmac } from 'node:crypto';

/** Of the form that `WEBHOOK_SECRET` describes. */
export function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
}

/** @param timestamp of the attempt, Unix seconds */
export function signatures(keys: readonly Buffer[], id: string, timestamp: number, body: string): string {
  const signed = `${id}.${timestamp}.${body}`;
  return keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`).join(' ');
}
