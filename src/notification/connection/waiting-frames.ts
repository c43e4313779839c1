/** Several frames that wait in a send queue, in order. One of a conflation key replaces the waiting one, in its place. */
import type { QueuedFrame } from './frame.js';

export class WaitingFrames {
  private frames: QueuedFrame[] = [];
  /** How many frames were taken: where the first of `frames` stands. */
  private taken = 0;
  /** Where the waiting frame of each key stands, counted from the first frame ever. */
  private places: Map<string, number> | undefined;

  get length(): number {
    return this.frames.length;
  }

  add(frame: QueuedFrame): void {
    const { conflationKey } = frame;
    if (conflationKey !== undefined) (this.places ??= new Map()).set(conflationKey, this.taken + this.frames.length);
    this.frames.push(frame);
  }

  /** The waiting frame of this key. */
  find(conflationKey: string): QueuedFrame | undefined {
    const place = this.places?.get(conflationKey);
    return place === undefined ? undefined : this.frames[place - this.taken];
  }

  /** Puts `frame` in the place of the waiting one of its key. */
  replace(frame: QueuedFrame): void {
    const place = this.places?.get(frame.conflationKey ?? '');
    if (place !== undefined) this.frames[place - this.taken] = frame;
  }

  /** Takes frames until they have `size` bytes: at least one, mostly all. */
  take(size: number, compress: boolean): QueuedFrame[] {
    const { frames, places } = this;
    let count = 0;
    for (let bytes = 0; count < frames.length && bytes < size; count += 1) bytes += frames[count]?.wire(compress).length ?? 0;
    this.taken += count;
    const taken = count < frames.length ? frames.splice(0, count) : frames;
    if (taken === frames) this.frames = [];
    if (places) for (const { conflationKey } of taken) if (conflationKey !== undefined) places.delete(conflationKey);
    return taken;
  }
}
