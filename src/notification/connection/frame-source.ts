/**
 * Sources give a connection's send queue frames as the socket drains: history, and prompts and messages to be shown again.
 *
 * They are synchronous generators, since most have their frames at hand. When thousands of clients reconnect at once, the
 * promises of async generators would make up a tenth of all garbage. A source yields a promise to wait for it.
 */
import type { OutboundFrame } from './frame.js';

/** Yields frames, and promises to wait for. `next` and `throw` pass in how such a promise has ended. */
export interface FrameSource extends Iterator<OutboundFrame | Promise<unknown>, void, unknown> {
  throw(error: unknown): IteratorResult<OutboundFrame | Promise<unknown>, void>;
  return(): IteratorResult<OutboundFrame | Promise<unknown>, void>;
}

/** The body of a source. */
export type FrameGenerator = Generator<OutboundFrame | Promise<unknown>, void>;

/** `await` in a source: `const page = yield* until(reading)`. */
export function* until<T>(promise: Promise<T>): Generator<Promise<T>, T> {
  return (yield promise) as T;
}

/** Calls `end` when the source ends: at its last frame, when it fails, or when it is replaced, even before its first frame. */
export function endingWith(generator: FrameGenerator, end: () => void): FrameSource {
  const step = (take: () => ReturnType<FrameSource['next']>): ReturnType<FrameSource['next']> => {
    try {
      const result = take();
      if (result.done) end();
      return result;
    } catch (error) {
      end();
      throw error;
    }
  };
  return {
    next: (value) => step(() => generator.next(value)),
    throw: (error) => step(() => generator.throw(error)),
    return: () => step(() => generator.return()),
  };
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
 * Resumes a source after a promise that it yielded. The caller queues the next frame synchronously. Otherwise other code
 * could read a position whose frame is not queued yet.
 */
export function resume(source: FrameSource, outcome: Outcome): ReturnType<FrameSource['next']> {
  return 'error' in outcome ? source.throw(outcome.error) : source.next(outcome.value);
}
