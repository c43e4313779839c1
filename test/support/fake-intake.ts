/** What a connection or a request has read and handed over, as the test says. */
import type { Intake } from '../../src/notification/connection/backlog.js';

export class FakeIntake implements Intake {
  bytesRead = 0;
  bytesParsed = 0;
  isPaused = false;
  pauses = 0;
  framesParsed = 0;
  framesHandedOver = 0;

  get isClear(): boolean {
    return this.bytesParsed === this.bytesRead && this.framesParsed === this.framesHandedOver && !this.isPaused;
  }

  /** Bytes come from the socket, and are not parsed yet. */
  read(bytes: number): void {
    this.bytesRead += bytes;
  }

  /** All that was read is parsed, and has `frames` frames. */
  parse(frames: number): void {
    this.bytesParsed = this.bytesRead;
    this.framesParsed += frames;
  }

  pause(): void {
    this.isPaused = true;
    this.pauses += 1;
  }

  handedOver(): void {
    this.framesHandedOver += 1;
  }
}
