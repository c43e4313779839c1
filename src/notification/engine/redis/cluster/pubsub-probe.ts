/**
 * Whether pub/sub is alive, partition by partition: looks send this node a tick by it, every other one or so.
 *
 *  1. A tick that does not come back says that the subscription is away, perhaps since the last that did. No connection
 *     needs to have broken for that: a proxy may have gone deaf.
 *  2. A partition that is looked at on another server has moved there, and its subscriptions after it; what was published
 *     meanwhile has been missed. The first tick from there says that they are in place again.
 */
import { monotonicMs } from '../../../pacing/time-source.js';
const LATE_MS = 2000;

interface Look {
  /** Of its tick, where it sends one. */
  number: number | undefined;
  /** By Redis' clock. */
  at: number;
  /** Of which server. */
  life: string;
}

/** A tick that has not come yet. */
interface Tick {
  number: number;
  at: number;
  /** By our clock. */
  since: number;
}

interface Pace {
  /** The newest tick that came. */
  came: number;
  /** The newest look whose tick came. */
  sound: number;
  life: string;
  awaited?: Tick;
  /** Since when, by Redis' clock, it may have missed something that is read when the awaited tick comes. */
  movedAt?: number;
}

export class Pulse {
  private number = 0;
  private readonly paces = new Map<number, Pace>();

  /** The number of the next tick. */
  next(): number {
    return (this.number += 1);
  }

  /** A look has had its reply. @returns since when, by Redis' clock, something may have been missed that is to be read now */
  onLook(partition: number, look: Look): number | undefined {
    const pace = this.paces.get(partition) ?? { came: 0, sound: look.at, life: look.life };
    this.paces.set(partition, pace);
    if (pace.life !== look.life) {
      pace.life = look.life;
      pace.movedAt ??= pace.sound;
      pace.awaited = undefined;
    }
    if (!pace.awaited) {
      if (look.number === undefined) return undefined;
      pace.awaited = { number: look.number, at: look.at, since: monotonicMs() };
      return this.onTick(partition, pace.came);
    }
    if (monotonicMs() - pace.awaited.since < LATE_MS) return undefined;
    pace.awaited = undefined;
    return pace.sound;
  }

  /** A tick has come. @returns as `onLook` */
  onTick(partition: number, number: number): number | undefined {
    const pace = this.paces.get(partition);
    if (!pace) return undefined;
    pace.came = number;
    if (!pace.awaited || number < pace.awaited.number) return undefined;
    const { movedAt } = pace;
    pace.sound = pace.awaited.at;
    pace.awaited = undefined;
    pace.movedAt = undefined;
    return movedAt;
  }
}
