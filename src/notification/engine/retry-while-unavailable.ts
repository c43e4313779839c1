/** Reads of the engine that a connection depends on: repeated while the engine is away and the connection lives. */
import { EngineUnavailableError } from '../notification.errors.js';
import { delay } from '../pacing/time-source.js';

const PAUSE_MS = 500;

/** @returns `undefined` when `wanted` became false before the read succeeded */
export async function readWhenAvailable<T>(wanted: () => boolean, read: () => Promise<T>): Promise<T | undefined> {
  while (wanted()) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      await delay(PAUSE_MS, undefined, { ref: false });
    }
  }
  return undefined;
}
