/** How long a webhook event waits after a failed attempt. */
import { Date } from '../pacing/time-source.js';

const FIRST_MS = 1000;
const LONGEST_MS = 300_000;
/** A receiver may ask for more time, but not for ever. */
const LONGEST_ASKED_MS = 3_600_000;

/**
 * Twice as long after each attempt, with a quarter of chance in either direction.
 * @param attempt from 1
 * @param askedMs what the receiver asked for
 */
export function pauseMs(attempt: number, askedMs = 0, chance = Math.random()): number {
  const growing = Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS) * (0.75 + chance / 2);
  return Math.round(Math.max(growing, Math.min(askedMs, LONGEST_ASKED_MS)));
}

/** Milliseconds of a `Retry-After`: seconds, or a date. */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return wait > 0 ? wait : undefined;
}
