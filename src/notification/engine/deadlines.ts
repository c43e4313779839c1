/**
 * The rule for deadlines, which both engines apply to every prompt whose time has passed.
 *
 *  1. A deadline is applied only when every node that is alive has handed the engine whatever reached its sockets before
 *     it. A node publishes how far it has read (`EngineReading.readUntil`). An answer carries the earliest moment at which
 *     it may have reached the socket (`Arrival.earliest`); before the deadline it is timely, however late it is handled.
 *  2. A default of `proceed` that only a setting gave counts for a deadline that was applied in time, that is: the service
 *     was serving without a break when the deadline passed, and applied it within `IN_TIME_MS`. Otherwise it is `false`.
 *     A default that the caller gave counts always.
 *  3. Lengths of time are measured by monotonic clocks. A wall clock that jumps moves the pending deadlines with it.
 *
 * Embedded engine: `embedded/deadline-rule.ts`. Redis engine: `redis/lua/includes/apply-deadline.lua`.
 */
import { monotonicMs } from '../pacing/time-source.js';

/** A deadline that is applied later than this was missed; so was one in a break of the service that is longer. */
export const IN_TIME_MS = 2500;

/** The share of a confirmation's time after which the warning comes, `confirmation_expiring`. `redis/lua/open.lua` has it too. */
const EXPIRING_SHARE = 0.8;

/** When, after its opening, a confirmation with this deadline gets its warning. In milliseconds. */
export const warningAfter = (timeoutMs: number): number => Math.floor(timeoutMs * EXPIRING_SHARE);

/** The shortest time for which a confirmation may be dismissed. `redis/lua/dismiss.lua` has it too. */
const MIN_DISMISSAL_MS = 60_000;

/**
 * When a dismissal ends: at `until`, at the latest with the warning before the deadline. Nothing hides a confirmation after
 * its warning, since no further one would show it again in time. In milliseconds by the engine's clock.
 */
export function endOfDismissal(
  created: number,
  expires: number | null,
  until: number | undefined,
  now: number,
): number | DismissRefusal {
  const warning = expires === null ? Infinity : created + warningAfter(expires - created);
  if (warning <= now) return 'warned';
  if (until === undefined) return expires === null ? 'endless' : warning;
  return until < now + MIN_DISMISSAL_MS ? 'too_soon' : Math.min(until, warning);
}

/**
 * Why a confirmation is not dismissed: its warning has come, it has no deadline and no `until` was given, or `until` is less
 * than a minute away.
 */
export type DismissRefusal = 'warned' | 'endless' | 'too_soon';

/** How far this node has read its sockets. Moments are of `monotonicMs`. */
export interface EngineReading {
  /** Whatever reached a socket of this node before this moment has been handed to the engine. */
  readonly readUntil: number;
  /** Since when the node has been serving without a break; `Infinity` while it does not serve. */
  readonly servingSince: number;
  /** Resolves as soon as `readUntil` has reached the moment, or the node has stopped. */
  reach(moment: number): Promise<void>;
  /** Calls back whenever the node begins to serve. */
  onServing(listener: () => void): void;
}

/** Where a frame or a request came from: what reached the node with it, or after it, waits until it has been handed over. */
export interface Arrival {
  /** It reached the socket at this moment or later. */
  readonly earliest: number;
  /** The engine has it, or nobody tries any more: no deadline waits for it. */
  handedOver(): void;
}

/** For an engine without sockets above it: nothing waits to be read. */
export const NOTHING_TO_READ: EngineReading = {
  get readUntil() {
    return monotonicMs();
  },
  servingSince: -Infinity,
  reach: () => Promise.resolve(),
  onServing: () => undefined,
};
