/**
 * Room on the disk that is kept for answers: a file of real bytes beside the store.
 *
 *  1. While the disk has little room, or the reserve is not whole, nothing new is taken.
 *  2. When even so the disk is full, the reserve is given up, so that answers and cancels can still be written.
 *  3. The reserve is made whole again as soon as there is room for it; `takesNew` tries, at most every so often.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const RETRY_MS = 200;
const CHUNK = 1024 * 1024;

export class DiskReserve {
  private readonly file: string;
  private whole: boolean;
  private triedAt = 0;
  /** Changes worth a line in the log, since they were last taken. */
  private warnings: string[] = [];

  /** @param bytes 0: nothing is reserved (a store in memory) */
  constructor(
    private readonly folder: string,
    private readonly bytes: number,
  ) {
    this.file = join(folder, 'reserve');
    this.whole = bytes === 0 || (existsSync(this.file) && statSync(this.file).size === bytes) || this.restore();
    if (!this.whole) this.warnings.push(`the disk of ${folder} is full: nothing new is taken`);
  }

  /** Invariants 1 and 3. */
  takesNew(): boolean {
    if (this.bytes === 0) return true;
    if (!this.whole && Date.now() - this.triedAt >= RETRY_MS && this.restore())
      this.warnings.push(`the disk of ${this.folder} has room again`);
    return this.whole && this.free() >= this.headroom;
  }

  /** Invariant 2. @returns whether there was anything to give up */
  release(): boolean {
    if (!this.whole || this.bytes === 0) return false;
    this.whole = false;
    this.triedAt = Date.now();
    this.truncate();
    this.warnings.push(`the disk of ${this.folder} is full: its reserve is in use, nothing new is taken`);
    return true;
  }

  takeWarnings(): string[] {
    return this.warnings.splice(0);
  }

  /** What a batch and the log it goes through may need before the next look at the disk. */
  private get headroom(): number {
    return this.bytes / 2;
  }

  private free(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  private restore(): boolean {
    this.triedAt = Date.now();
    if (this.free() < this.bytes + this.headroom) return false;
    const descriptor = openSync(this.file, 'w');
    try {
      const chunk = Buffer.alloc(CHUNK, 'reserved for answers ');
      for (let written = 0; written < this.bytes;)
        written += writeSync(descriptor, chunk, 0, Math.min(CHUNK, this.bytes - written));
      fsyncSync(descriptor);
      return (this.whole = true);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      ftruncateSync(descriptor);
      return false;
    } finally {
      closeSync(descriptor);
    }
  }

  private truncate(): void {
    const descriptor = openSync(this.file, 'w');
    closeSync(descriptor);
  }
}
