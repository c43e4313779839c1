/**
 * Sources bring a connection's queue frames as the socket drains: history, prompts and messages that wait.
 *
 * They are plain generators, since most have what they bring at hand: thousands of clients that come back at once would
 * pay for an async generator's promises with a tenth of all garbage. What has to be waited for is yielded as a promise.
 */
import type { OutboundFrame } from './frame.js';

/** Yields frames, and promises that it waits for: it is given what they resolve to, or thrown what they reject with. */
export type FrameSource = Generator<OutboundFrame | Promise<unknown>, void>;

/** `await`, for a source: `const page = yield* until(reading)`. */
export function* until<T>(promise: Promise<T>): Generator<Promise<T>, T> {
  return (yield promise) as T;
}

export type Outcome = { value: unknown } | { error: unknown };

export async function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

/**
 * Lets a source go on with what it waited for. What it yields is queued in the same turn: a position that it has noted
 * for a frame must not be read by others before the frame stands in the queue.
 */
export function resume(source: FrameSource, outcome: Outcome): ReturnType<FrameSource['next']> {
  return 'error' in outcome ? source.throw(outcome.error) : source.next(outcome.value);
}
