/**
 * Runs a script by its hash. Its source is sent at its first use on a connection, so that later calls, which follow on that
 * connection, keep their order; and where Redis does not know it all the same.
 */
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

/** @param sent the uses of scripts whose source was sent since the last error */
export function evaluate(
  { sha, source }: ScriptSource,
  roots: readonly string[],
  args: readonly string[],
  send: Send,
  sent: Set<string>,
): Promise<unknown> {
  const keys = scriptKeys(roots);
  const rest = [String(keys.length), ...keys, ...args];
  const sendSource = (): Promise<unknown> => send(['EVAL', source, ...rest]);
  // In a cluster each partition may lie on another server.
  const use = `${sha} ${roots[0]}`;
  if (!sent.has(use)) {
    sent.add(use);
    return sendSource();
  }
  return send(['EVALSHA', sha, ...rest]).catch((error: unknown) => {
    if (!saysRedis(error, 'NOSCRIPT')) throw error;
    return sendSource();
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
