/** The sources of one send queue. They are read one after the other, a frame at a time, while few bytes wait. */
import type { OutboundFrame } from './frame.js';
import { outcomeOf, resume, type FrameSource } from './frame-source.js';

/** What takes the frames. */
export interface SourceReader {
  takesMore(): boolean;
  take(frame: OutboundFrame): void;
  onError(error: unknown): void;
  /** There is no source any more. */
  onEnd(): void;
}

export class Sources {
  private readonly byName = new Map<string, FrameSource>();
  private isReading = false;

  constructor(private readonly reader: SourceReader) {}

  get size(): number {
    return this.byName.size;
  }

  /** Adds a source, in place of an earlier one of this name. */
  add(name: string, source: FrameSource): void {
    this.byName.get(name)?.return();
    this.byName.delete(name);
    this.byName.set(name, source);
    void this.read();
  }

  /** Drops a source, and what it still had to bring. */
  drop(name: string): void {
    const source = this.byName.get(name);
    this.forget(name);
    source?.return();
  }

  dropAll(): void {
    for (const name of [...this.byName.keys()]) this.drop(name);
  }

  async read(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      for (let current = this.first; current && this.reader.takesMore(); current = this.first) {
        const [name, source] = current;
        const isCurrent = (): boolean => this.byName.get(name) === source;
        let next = source.next();
        while (next.value instanceof Promise && isCurrent()) {
          const outcome = await outcomeOf(next.value);
          if (isCurrent()) next = resume(source, outcome);
        }
        if (!isCurrent()) continue;
        if (next.done) this.forget(name);
        else if (!(next.value instanceof Promise)) this.reader.take(next.value);
      }
    } catch (error) {
      this.reader.onError(error);
    } finally {
      this.isReading = false;
    }
  }

  private get first(): [string, FrameSource] | undefined {
    const [first] = this.byName;
    return first;
  }

  private forget(name: string): void {
    if (this.byName.delete(name) && this.byName.size === 0) this.reader.onEnd();
  }
}
