/**
 * Room on the disk that is kept for answers: a file of real bytes beside the store.
 *
 *  1. While the disk has little room, or the reserve is not whole, nothing new is taken.
 *  2. When the disk is full all the same, the reserve is given up slice by slice, so that answers and cancels can still be
 *     written, and other programs do not get all of it at once.
 *  3. The reserve is made whole again as soon as there is room for it; `takesNew` tries, at most every so often.
 */
import { closeSync, existsSync, fsyncSync, openSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../pacing/time-source.js';

const RETRY_MS = 200;
const SLICES = 8;
const CHUNK = 1024 * 1024;

export class DiskReserve {
  private readonly file: string;
  /** How much of it is there. */
  private held: number;
  private triedAt = 0;
  private taking = true;
  /** Changes worth a line in the log, since they were last taken. */
  private readonly warnings: string[] = [];

  /** @param bytes 0: nothing is reserved (a store in memory) */
  constructor(
    private readonly folder: string,
    private readonly bytes: number,
  ) {
    this.file = join(folder, 'reserve');
    this.held = bytes > 0 && existsSync(this.file) ? Math.min(statSync(this.file).size, bytes) : 0;
    if (!this.isWhole) this.restore();
  }

  /** Invariants 1 and 3. */
  takesNew(): boolean {
    if (this.bytes === 0) return true;
    if (!this.isWhole && monotonicMs() - this.triedAt >= RETRY_MS) this.restore();
    const takes = this.isWhole && !this.isTight;
    if (takes !== this.taking) {
      this.warnings.push(`the disk of ${this.folder} ${takes ? 'has room again' : 'is full: nothing new is taken'}`);
    }
    return (this.taking = takes);
  }

  /** Whether the disk lacks the room that a batch and its log may need before the next check. */
  get isTight(): boolean {
    return this.free() < this.headroom;
  }

  /** Invariant 2. @returns whether there was anything left to give up */
  release(): boolean {
    if (this.held === 0) return false;
    if (this.isWhole) this.warnings.push(`the disk of ${this.folder} is full: its reserve is in use`);
    this.held = Math.max(0, this.held - Math.ceil(this.bytes / SLICES));
    this.triedAt = monotonicMs();
    truncateSync(this.file, this.held);
    return true;
  }

  takeWarnings(): string[] {
    return this.warnings.splice(0);
  }

  private get isWhole(): boolean {
    return this.held === this.bytes;
  }

  private get headroom(): number {
    return this.bytes / 2;
  }

  private free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  private restore(): void {
    this.triedAt = monotonicMs();
    if (this.free() < this.bytes - this.held + this.headroom) return;
    const descriptor = openSync(this.file, 'a', 0o600);
    try {
      const chunk = Buffer.alloc(CHUNK, 'reserved for answers ');
      while (!this.isWhole) this.held += writeSync(descriptor, chunk, 0, Math.min(CHUNK, this.bytes - this.held));
      fsyncSync(descriptor);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(descriptor);
    }
  }
}
