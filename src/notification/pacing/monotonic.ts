/** Milliseconds of a clock that only runs forward, whatever happens to the wall clock. All threads of a process share it. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1_000_000;
