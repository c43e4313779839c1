/** Milliseconds, as TypeScript has them, to the seconds of the wire. */
export const toSeconds = (ms: number): number => ms / 1000;

/** Seconds of the wire to milliseconds; `undefined` for an absent field. */
export const toMs = (seconds: number | null | undefined): number | undefined =>
  seconds == null ? undefined : Math.round(seconds * 1000);

/** The end of the year 9999 in Unix seconds. A later moment is one in the wrong unit. */
export const MAX_MOMENT_S = 253_402_300_799;
