/** How long a client waits before it connects again, by what ended the connection before. */

/** The limit of the first waits. */
const LEAST_MS = 250;
const LONGEST_MS = 30_000;
/** After `service restart` all clients come back. Spread over this time they are no storm. */
const RESTART_MS = 3000;
/** After a close because the node has no room, or the client sent too fast, the client waits at least this long. */
const CROWDED_MS = 5000;

/** Whether an earlier return would add to what the server is protecting itself from. */
export const isCrowded = (code?: number): boolean => code === 1013 || code === 1008;

/**
 * Full jitter: any time from zero to a quarter of the time that the client has been away. So a short break stays short, and a
 * server that is away for long is asked seldom.
 *
 * @param code the close code, 1006 where there was none
 * @param awayMs how long ago the last connection that worked ended
 * @param random from 0 to below 1
 * @returns milliseconds; `null` means never again
 */
export function waitAfter(code: number, awayMs: number, random: () => number): number | null {
  if (code >= 4500 && code <= 4999) return null;
  if (code === 1012) return random() * RESTART_MS;
  const jitterMs = random() * Math.min(LONGEST_MS, Math.max(LEAST_MS, awayMs / 4));
  return isCrowded(code) ? CROWDED_MS + jitterMs : jitterMs;
}
