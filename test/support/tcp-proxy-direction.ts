/** One direction of a proxied TCP connection (tcp-proxy.ts), and what can be done to it. */
import type { Socket } from 'node:net';

/** What is done to one direction. */
export interface Faults {
  delayMs: number;
  jitterMs: number;
  bytesPerSecond: number;
  blackHole: boolean;
}

export const HEALTHY: Faults = { delayMs: 0, jitterMs: 0, bytesPerSecond: Infinity, blackHole: false };
export type Limit = { chunks: number } | { bytes: number };
export type Random = () => number;

/** What a direction holds back before it stops reading its source. */
const MAX_HELD_BYTES = 1024 * 1024;
const TRICKLE_STEP_MS = 20;

/** What arrives is queued; one loop passes it on as the faults of the moment allow. */
export class Lane {
  private readonly queue: { chunk: Buffer; arrivedAt: number; luck: number }[] = [];
  private heldBytes = 0;
  private sourceEnded = false;
  private sourceBroken = false;
  private endPassedOn = false;
  private stopped = false;
  private quota: { unit: 'bytes' | 'chunks'; left: number; used: () => void } | undefined;
  private onSwallowed: ((chunk: Buffer) => void) | undefined;
  private awaited: { texts: Buffer[]; tail: Buffer; seen: () => void } | undefined;
  private wakeUp: () => void = () => undefined;

  constructor(
    private readonly source: Socket,
    private readonly sink: Socket,
    private readonly faults: Faults,
    private readonly random: Random,
    private readonly cut: () => void,
  ) {
    source.on('data', (chunk) => this.take(chunk));
    source.once('end', () => this.end());
    source.once('error', () => {
      this.sourceBroken = true;
      this.wake();
    });
    sink.on('drain', () => this.wake());
    void this.run();
  }

  wake(): void {
    this.wakeUp();
  }

  stop(): void {
    this.stopped = true;
    this.wake();
  }

  end(): void {
    this.sourceEnded = true;
    this.wake();
  }

  forwardOnly(limit: Limit): Promise<void> {
    const [unit, left] = 'bytes' in limit ? (['bytes', limit.bytes] as const) : (['chunks', limit.chunks] as const);
    return new Promise((used) => (this.quota = { unit, left, used }));
  }

  /** The next chunk that arrives, and whatever follows, goes no further. */
  swallow(): Promise<Buffer> {
    return new Promise((resolve) => (this.onSwallowed = resolve));
  }

  /** Calls back as soon as one of some texts has arrived, before it goes on; in whatever pieces it came. */
  whenSeen(texts: readonly string[], seen: () => void): void {
    this.awaited = { texts: texts.map((text) => Buffer.from(text)), tail: Buffer.alloc(0), seen };
  }

  private lookFor({ texts, tail, seen }: NonNullable<Lane['awaited']>, chunk: Buffer): void {
    const both = Buffer.concat([tail, chunk]);
    if (!texts.some((text) => both.includes(text))) {
      const longest = Math.max(...texts.map(({ length }) => length));
      this.awaited = { texts, tail: both.subarray(Math.max(0, both.length - longest + 1)), seen };
      return;
    }
    this.awaited = undefined;
    seen();
  }

  private take(chunk: Buffer): void {
    if (this.sourceEnded) return; // half-closed: nothing follows
    if (this.awaited) this.lookFor(this.awaited, chunk);
    if (this.onSwallowed) return this.onSwallowed(chunk);
    this.queue.push({ chunk, arrivedAt: Date.now(), luck: this.random() });
    this.heldBytes += chunk.length;
    if (this.heldBytes > MAX_HELD_BYTES) this.source.pause();
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const { blackHole, delayMs, jitterMs, bytesPerSecond } = this.faults;
      const [head] = this.queue;
      if (blackHole) await this.sleep();
      else if (this.sourceBroken) this.cut();
      else if (this.sink.writableNeedDrain || this.quota?.left === 0) await this.sleep();
      else if (!head) await this.finishOrSleep();
      else {
        const early = head.arrivedAt + delayMs + head.luck * jitterMs - Date.now();
        if (early > 0) await this.sleep(early);
        else if (bytesPerSecond === Infinity) this.pass(head.chunk.length);
        else {
          const passed = this.pass(Math.max(1, Math.floor((bytesPerSecond * TRICKLE_STEP_MS) / 1000)));
          await this.sleep((passed / bytesPerSecond) * 1000);
        }
      }
    }
  }

  /** @returns how many bytes went on */
  private pass(atMost: number): number {
    const [head] = this.queue;
    if (!head) return 0;
    const allowed = this.quota?.unit === 'bytes' ? Math.min(atMost, this.quota.left) : atMost;
    const piece = head.chunk.subarray(0, allowed);
    head.chunk = head.chunk.subarray(piece.length);
    if (head.chunk.length === 0) this.queue.shift();
    this.heldBytes -= piece.length;
    if (this.heldBytes <= MAX_HELD_BYTES) this.source.resume();
    this.sink.write(piece);
    if (this.quota) {
      this.quota.left -= this.quota.unit === 'bytes' ? piece.length : head.chunk.length === 0 ? 1 : 0;
      if (this.quota.left === 0) this.quota.used();
    }
    return piece.length;
  }

  private async finishOrSleep(): Promise<void> {
    if (this.sourceEnded && !this.endPassedOn) {
      this.endPassedOn = true;
      this.sink.end();
    }
    await this.sleep();
  }

  private sleep(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.wakeUp(), ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
