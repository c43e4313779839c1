/**
 * Whose turn it is to write. All send queues of a process share one event loop, and what they hand to their sockets in one
 * turn of it is bounded, so that a reply does not wait until hundreds of others have been written their megabytes.
 *
 * Writing is dear where it helps least: the kernel takes ten times as long for a socket that nobody reads and whose
 * receive buffer is about to be full (measured on Linux 6.18: 270 us for 64 KB, else 20 us).
 */
import { setImmediate } from './time-source.js';

export interface Writer {
  /** Bytes that wait for this writer's turn. */
  readonly queuedBytes: number;
  takeTurn(): void;
}

/** Bytes a turn, the last writer's overshoot aside, ... */
const TURN_SIZE = 262_144;
/** ... but for writers with no more than this, who come first. */
const LITTLE = 8192;

/** In order of arrival. There is an immediate as long as anybody is in it. A function is called when all before it have had their turn. */
let queue: (Writer | (() => void))[] = [];
/** About as much is to be written for those in the queue. */
let bytes = 0;

/** Gives `writer` a turn. It is not to ask again before that. */
export function queueForTurn(writer: Writer): void {
  if (queue.length === 0) setImmediate(takeTurns);
  queue.push(writer);
}

/** So much more is to be written at somebody's turn. */
export function countForTurn(size: number): void {
  bytes += size;
}

/**
 * Resolves at once while all that is to be written fits into one turn, else when it has had its turn: a sender that waits for
 * this before sending more sends no faster than can be written.
 */
export async function turnsTaken(): Promise<void> {
  if (bytes > TURN_SIZE && queue.length > 0) await new Promise<void>((resolve) => queue.push(resolve));
}

function takeTurns(): void {
  const present = queue;
  queue = [];
  bytes = 0;
  let left = TURN_SIZE;
  for (const one of present) {
    if (typeof one === 'function') {
      if (queue.length > 0) queue.push(one);
      else one();
      continue;
    }
    const size = one.queuedBytes;
    if (left > 0 || size <= LITTLE) {
      left -= size;
      one.takeTurn();
    } else {
      queue.push(one);
      bytes += size;
    }
  }
  if (queue.length > 0) setImmediate(takeTurns);
}
