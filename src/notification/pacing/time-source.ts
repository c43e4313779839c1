/**
 * Clocks and timers, taken when this file is loaded.
 *
 * A test that fakes time later (Jest's modern timers, Vitest, sinon) replaces the global ones, and those of `node:timers`.
 * It must neither stop the module nor move its deadlines, so the module uses these. A linter rule says so.
 */
import perfHooks from 'node:perf_hooks';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;
/** `setTimeout` as a promise. */
export const delay = timersPromises.setTimeout;
export const Date = globalThis.Date;
export const { performance } = perfHooks;

const readNanoseconds = process.hrtime.bigint.bind(process.hrtime);
/** Milliseconds of a clock that only runs forward, whatever happens to the wall clock. All threads of a process share it. */
export const monotonicMs = (): number => Number(readNanoseconds()) / 1_000_000;
