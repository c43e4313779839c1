/** Preloaded into a node under test: blocks its event loop for as long as the parent asks, without using the processor. */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel) {
  process.on('message', (blockMs: number) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
  });
  process.channel.unref();
}
