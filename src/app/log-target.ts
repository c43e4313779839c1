/**
 * Where lines of a log go: standard output or a file. Both are written without ever waiting for a reader.
 * A write that cannot be done now throws the system's error; `EAGAIN` means that the reader has not kept up.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogTarget {
  readonly name: string;
  /** Writes as much as fits. @returns the bytes written @throws the system's error */
  write(bytes: Uint8Array): number;
  close(): void;
}

const STDOUT = 1;
/** How often a file is compared with what its path names. */
const RECHECK_MS = 1000;
/** Only the service's own user reads and writes it. */
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

export class StandardOutput implements LogTarget {
  readonly name = 'standard output';
  private descriptor: number | undefined;
  private isOurs = false;

  write(bytes: Uint8Array): number {
    this.descriptor ??= this.open();
    return writeSync(this.descriptor, bytes);
  }

  close(): void {
    if (this.isOurs && this.descriptor !== undefined) closeSync(this.descriptor);
    this.isOurs = false;
    this.descriptor = undefined;
  }

  /**
   * A pipe or terminal is opened again, non-blocking, so that others who share it are not affected. A socket cannot be;
   * Node makes it non-blocking itself when `process.stdout` is first read. A file never waits for a reader.
   */
  private open(): number {
    const stat = fstatSync(STDOUT);
    if (stat.isFIFO() || stat.isCharacterDevice()) {
      try {
        const descriptor = openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
        this.isOurs = true;
        return descriptor;
      } catch {
        // Another system, or another user's terminal: as Node opens it.
      }
    }
    return stat.isFile() ? STDOUT : process.stdout.fd;
  }
}

/** A file to which lines are added. It is created again when it is moved or deleted. */
export class LogFile implements LogTarget {
  private descriptor: number | undefined;
  private checkedAt = 0;

  constructor(readonly name: string) {}

  write(bytes: Uint8Array): number {
    if (this.descriptor !== undefined && performance.now() - this.checkedAt > RECHECK_MS && !this.isStillThere()) this.close();
    this.descriptor ??= this.open();
    return writeSync(this.descriptor, bytes);
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private open(): number {
    mkdirSync(dirname(this.name), { recursive: true, mode: PRIVATE_FOLDER });
    const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
    this.checkedAt = performance.now();
    return openSync(this.name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, PRIVATE_FILE);
  }

  private isStillThere(): boolean {
    this.checkedAt = performance.now();
    const named = statSync(this.name, { throwIfNoEntry: false });
    const opened = fstatSync(this.descriptor ?? STDOUT);
    return named?.ino === opened.ino && named.dev === opened.dev;
  }
}
