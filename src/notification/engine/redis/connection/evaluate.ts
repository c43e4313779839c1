/** Runs a script by its hash; sends its source where Redis does not know it. */
import { delay, monotonicMs } from '../../../pacing/time-source.js';
import { scriptKeys } from '../keys.js';
import { saysRedis } from './error-log.js';
import type { Send } from './redis-client.js';

const MOVING_SLOT_RETRY_MS = 25;

/** A script as Redis takes it. */
export interface ScriptSource {
  source: string;
  sha: string;
}

export function evaluate(
  { sha, source }: ScriptSource,
  roots: readonly string[],
  args: readonly string[],
  send: Send,
): Promise<unknown> {
  const keys = scriptKeys(roots);
  const command = ['EVALSHA', sha, String(keys.length), ...keys, ...args];
  return send(command).catch((error: unknown) => {
    if (!saysRedis(error, 'NOSCRIPT')) throw error;
    return send(['EVAL', source, ...command.slice(2)]);
  });
}

/**
 * Repeats a script that Redis refused because the slot of its keys is moving to another master. A refused script has not run.
 * @param until the last moment, of `monotonicMs`, for a repetition
 */
export function whileSlotMoves<Result>(until: number, run: () => Promise<Result>): Promise<Result> {
  return run().catch(async (error: unknown) => {
    if (!saysRedis(error, 'TRYAGAIN') || monotonicMs() >= until) throw error;
    await delay(MOVING_SLOT_RETRY_MS);
    return whileSlotMoves(until, run);
  });
}
