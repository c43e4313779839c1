/**
 * Tracks the bytes that one connection or request has read and not yet handed to the engine.
 *
 * After a poll (`pollEnded`) a marker records how many bytes were read, then how many frames they hold. When the last of
 * these is handed over, everything that reached the socket before that poll is handed over.
 */
import type { Arrival } from '../engine/deadlines.js';

/** Counters of one connection's or request's input. They only grow. */
export interface Intake {
  /** Bytes read from the socket, and those of them that have been parsed. */
  readonly bytesRead: number;
  readonly bytesParsed: number;
  /** Whether bytes may wait in the kernel because the socket is not read. */
  readonly isPaused: boolean;
  /** How often it has been paused. */
  readonly pauses: number;
  /** Frames parsed, and those of them that have been handed over. */
  readonly framesParsed: number;
  readonly framesHandedOver: number;
  /** Whether everything that was read has been handed over. */
  readonly isClear: boolean;
  /** A request has been handed over, though its handler has not ended. The frames of a connection have turns of their own. */
  handedOver?(): void;
}

interface Marker {
  readonly at: number;
  readonly bytes: number;
  /** Known once the bytes have been parsed. */
  frames?: number;
}

export class Backlog implements Arrival {
  /** How long no progress was made, without the time in which the event loop stood still. */
  heldMs = 0;
  private marker: Marker | undefined;
  private pausesBefore: number | undefined;

  constructor(
    private readonly intake: Intake,
    /** Whatever reached the socket before has been handed over. */
    public earliest: number,
  ) {}

  handedOver(): void {
    this.intake.handedOver?.();
  }

  /** The event loop is about to poll. */
  pollBegins(): void {
    this.pausesBefore = this.intake.isPaused ? undefined : this.intake.pauses;
  }

  /** The event loop has polled, since `at`. @returns whether it holds nothing any more */
  pollEnded(at: number): boolean {
    const { intake } = this;
    const hasReadAll = !intake.isPaused && intake.pauses === this.pausesBefore;
    if (!this.marker && hasReadAll) this.marker = { at, bytes: intake.bytesRead };
    const { marker } = this;
    if (!marker) return false;
    if (marker.frames === undefined && intake.bytesParsed >= marker.bytes) marker.frames = intake.framesParsed;
    if (marker.frames === undefined || intake.framesHandedOver < marker.frames) return false;
    this.marker = undefined;
    this.earliest = marker.at;
    this.heldMs = 0;
    return marker.at === at && intake.isClear;
  }
}
