/**
 * Finds peers that are gone without a close frame: it sends a protocol-level ping every interval, and terminates the connection
 * if no pong comes within the time-out. A pong cannot be seen while the connection is held up and its socket is not read: the
 * time-out starts over when the socket is read again. The round-trip time is measured on the way.
 */
import type { Connection } from './connection.js';
import type { TimerWheel, WheelTimer } from '../pacing/timer-wheel.js';

export interface LivenessSettings {
  pingIntervalMs: number;
  pingTimeoutMs: number;
}

export class Liveness {
  private timer: WheelTimer;
  private pingedAt: number | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly wheel: TimerWheel,
    private readonly settings: LivenessSettings,
    private readonly onDead: (connection: Connection) => void,
  ) {
    this.timer = wheel.schedule(settings.pingIntervalMs, ping, this);
  }

  /** The peer sent a pong. @returns whether it answers a ping */
  pong(): boolean {
    if (this.pingedAt === undefined) return false;
    this.connection.roundTrips.record(this.wheel.now() - this.pingedAt);
    this.pingedAt = undefined;
    this.timer.cancel();
    this.timer = this.wheel.schedule(this.settings.pingIntervalMs, ping, this);
    return true;
  }

  /** The socket is read again after a pause. */
  resumed(): void {
    if (this.pingedAt !== undefined) this.awaitPong();
  }

  stop(): void {
    this.timer.cancel();
  }

  /** The interval has passed. */
  ping(): void {
    this.pingedAt = this.wheel.now();
    this.connection.ping();
    this.awaitPong();
  }

  /** The time-out has passed without a pong. */
  giveUp(): void {
    if (this.connection.incoming.isHeldUp) this.awaitPong();
    else this.onDead(this.connection);
  }

  private awaitPong(): void {
    this.timer.cancel();
    this.timer = this.wheel.schedule(this.settings.pingTimeoutMs, giveUp, this);
  }
}

const ping = (liveness: Liveness): void => liveness.ping();
const giveUp = (liveness: Liveness): void => liveness.giveUp();
