/**
 * Bounds what waits to be read by HTTP clients. A connection that takes none of its response for 30 s is cut; so are
 * those that have waited longest, while all together have more than 64 MiB waiting.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const WRITE_TIMEOUT_MS = 30_000;
const MAX_WAITING = 64 * 1024 * 1024;
const SWEEP_MS = 250;

interface Waiting {
  bytes: number;
  written: number;
  since: number;
}

export class UnreadResponses {
  private readonly responses = new Set<ServerResponse>();
  private readonly waiting = new Map<Socket, Waiting>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.timer = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  watch(response: ServerResponse): void {
    const { socket } = response;
    this.responses.add(response);
    response.once('close', () => {
      this.responses.delete(response);
      if (socket) this.waiting.delete(socket);
    });
  }

  /** Cuts what has waited too long, or is too much. */
  sweep(): void {
    const now = this.now();
    let total = 0;
    for (const { socket } of this.responses) {
      if (!socket) continue; // pipelined: the response before it is not written yet
      total += this.note(socket, now).bytes;
    }
    for (const [socket, { bytes, since }] of [...this.waiting].sort(([, one], [, other]) => one.since - other.since)) {
      if (bytes === 0) this.waiting.delete(socket);
      else if (now - since >= WRITE_TIMEOUT_MS || total > MAX_WAITING) {
        total -= bytes;
        socket.destroy();
      }
    }
  }

  close(): void {
    clearInterval(this.timer);
  }

  private note(socket: Socket, now: number): Waiting {
    const { writableLength: bytes, bytesWritten: written } = socket;
    const earlier = this.waiting.get(socket);
    const isStuck = earlier !== undefined && earlier.bytes === bytes && earlier.written === written;
    const current = isStuck ? earlier : { bytes, written, since: now };
    this.waiting.set(socket, current);
    return current;
  }
}
