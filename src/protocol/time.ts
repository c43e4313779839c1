/** Milliseconds, as TypeScript has them, to the seconds of the wire. */
export const toSeconds = (ms: number): number => ms / 1000;
