/**
 * `via` names the door by which a decision came. The product uses these names; a service that answers for a person may pass
 * its own, such as `slack`.
 */
import type { Outcome } from '../../protocol/confirmation.js';

/** Where the caller does not say: back-end code that calls the service in its own process. */
export const OWN_CODE_VIA = 'service';
/** A deadline. */
export const CLOCK_VIA = 'clock';
/** Decisions that were stored before the door was. */
const UNKNOWN_VIA = 'unknown';

/** Doors of the product. Only the product itself names them. */
export const OWN_DOORS: ReadonlySet<string> = new Set([
  'websocket',
  'rest',
  OWN_CODE_VIA,
  'link',
  'push',
  'mcp',
  CLOCK_VIA,
  UNKNOWN_VIA,
]);

/** The door of a stored decision. Only that of a deadline is known where none was stored. */
export function storedVia(stored: string | null | undefined, outcome: Outcome): string {
  return stored ?? (outcome === 'timed_out' ? CLOCK_VIA : UNKNOWN_VIA);
}
