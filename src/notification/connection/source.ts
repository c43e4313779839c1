/**
 * Sources bring an outbox frames as the socket drains: history, prompts and messages that wait.
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

/** A source goes on once what it waits for is there. */
export async function resume(source: FrameSource, promise: Promise<unknown>): Promise<ReturnType<FrameSource['next']>> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return source.throw(error);
  }
  return source.next(value);
}
