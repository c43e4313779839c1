/**
 * Takes the lines of one log and writes them when its target takes them. It never throws and never waits.
 *
 *  1. What cannot be written now is kept, up to a bound in bytes. Further lines are lost, and counted.
 *  2. The loss is reported in the log itself, where the gap is, once it can be written again.
 *  3. A lasting fault is reported at most once a minute, through `onTrouble`.
 */
import type { LogTarget } from './log-target.js';

const MAX_KEPT_BYTES = 1_048_576;
/** Up to this size a pipe takes a write whole, so that lines of several processes do not mix. */
const WRITE_SIZE = 4096;
const READER_RETRY_MS = 20;
const TROUBLE_RETRY_MS = 1000;
const TROUBLE_REPORT_MS = 60_000;

export interface LogSinkEvents {
  /** The line that reports a loss. It ends with a line break. */
  lossLine(count: number, reason: string): string;
  onTrouble?(target: string, reason: string): void;
}

export class LogSink {
  /** Lines lost since the start. */
  lost = 0;
  private unreported = 0;
  private reason = '';
  private queue: Buffer[] = [];
  private keptBytes = 0;
  private retry: NodeJS.Timeout | undefined;
  private troubleReportedAt = -Infinity;
  private isWaitingForReader = false;
  private closed = false;

  constructor(
    private readonly target: LogTarget,
    private readonly events: LogSinkEvents,
  ) {}

  /** Bytes that are kept until the target takes them. */
  get waitingBytes(): number {
    return this.keptBytes;
  }

  /** @param line ends with a line break. @returns whether it is written; otherwise it is kept or lost */
  write(line: string): boolean {
    const bytes = Buffer.from(line);
    const fits = this.queue.length === 0 || this.keptBytes + bytes.length <= MAX_KEPT_BYTES;
    if (this.closed || this.unreported > 0 || !fits) {
      this.lost += 1;
      this.unreported += 1;
      return false;
    }
    this.keep(bytes);
    if (this.retry === undefined) this.flush();
    return this.queue.length === 0;
  }

  /** Writes what can be written within `patienceMs`, then takes nothing more. */
  close(patienceMs = 200): void {
    if (this.closed) return;
    const until = performance.now() + patienceMs;
    this.flush();
    while (this.queue.length > 0 && this.isWaitingForReader && performance.now() < until) {
      pause(5);
      this.flush();
    }
    clearTimeout(this.retry);
    this.retry = undefined;
    this.closed = true;
    this.target.close();
  }

  private flush(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    try {
      while (this.queue.length > 0) {
        this.writeSome();
        if (this.queue.length === 0) this.reportLoss();
      }
    } catch (error) {
      this.retryLater(error as NodeJS.ErrnoException);
    }
  }

  private writeSome(): void {
    let [chunk = Buffer.alloc(0)] = this.queue;
    let count = 1;
    for (let next = this.queue[count]; next && chunk.length + next.length <= WRITE_SIZE; next = this.queue[count]) {
      chunk = Buffer.concat([chunk, next]);
      count += 1;
    }
    const written = this.target.write(chunk);
    this.keptBytes -= written;
    const rest = written < chunk.length ? [chunk.subarray(written)] : [];
    this.queue.splice(0, count, ...rest);
  }

  /** Invariant 2. */
  private reportLoss(): void {
    if (this.unreported === 0) return;
    this.keep(Buffer.from(this.events.lossLine(this.unreported, this.reason)));
    this.unreported = 0;
  }

  private keep(bytes: Buffer): void {
    this.queue.push(bytes);
    this.keptBytes += bytes.length;
  }

  private retryLater({ code, message }: NodeJS.ErrnoException): void {
    this.isWaitingForReader = code === 'EAGAIN';
    this.reason = this.isWaitingForReader ? 'nobody reads it' : message;
    this.retry = setTimeout(() => this.flush(), this.isWaitingForReader ? READER_RETRY_MS : TROUBLE_RETRY_MS).unref();
    if (this.isWaitingForReader || performance.now() - this.troubleReportedAt < TROUBLE_REPORT_MS) return;
    this.troubleReportedAt = performance.now();
    this.events.onTrouble?.(this.target.name, this.reason);
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
