/**
 * Whether pub/sub works, partition by partition: about every other sweep sends this node a probe by pub/sub.
 *
 *  1. A probe that does not come back says that the subscription is away, perhaps since the last probe that came. No
 *     connection needs to have broken for that: a proxy may have gone deaf.
 *  2. A partition that is swept on another server has moved there, and its subscriptions follow. What was published meanwhile
 *     has been missed. The first probe from the new server says that the subscriptions are in place again.
 */
import { monotonicMs } from '../../../pacing/time-source.js';

const LATE_MS = 2000;

interface SweepReply {
  /** Of its probe, if it sent one. */
  number: number | undefined;
  /** By Redis' clock. */
  at: number;
  serverRun: string;
}

/** A probe that has not come back yet. */
interface Probe {
  number: number;
  /** When the sweep sent it, by Redis' clock. */
  at: number;
  /** Since when this node has been waiting for it, by its monotonic clock. */
  since: number;
}

interface PartitionState {
  /** The newest probe that came. */
  newestProbe: number;
  /** The newest sweep whose probe came, by Redis' clock. */
  soundAt: number;
  serverRun: string;
  awaited?: Probe;
  /** Since when something may have been missed that can be read once the awaited probe comes, by Redis' clock. */
  movedAt?: number;
}

export class PubSubProbe {
  private number = 0;
  private readonly states = new Map<number, PartitionState>();

  /** The number of the next probe. */
  next(): number {
    return (this.number += 1);
  }

  /** A sweep was answered. @returns since when, by Redis' clock, something may have been missed that can be read now */
  onSwept(partition: number, reply: SweepReply): number | undefined {
    const state = this.states.get(partition) ?? { newestProbe: 0, soundAt: reply.at, serverRun: reply.serverRun };
    this.states.set(partition, state);
    if (state.serverRun !== reply.serverRun) {
      state.serverRun = reply.serverRun;
      state.movedAt ??= state.soundAt;
      state.awaited = undefined;
    }
    if (!state.awaited) {
      if (reply.number === undefined) return undefined;
      state.awaited = { number: reply.number, at: reply.at, since: monotonicMs() };
      // The probe may have overtaken the reply.
      return this.onProbe(partition, state.newestProbe);
    }
    if (monotonicMs() - state.awaited.since < LATE_MS) return undefined;
    state.awaited = undefined;
    return state.soundAt;
  }

  /** A probe came back. @returns as `onSwept` */
  onProbe(partition: number, number: number): number | undefined {
    const state = this.states.get(partition);
    if (!state) return undefined;
    state.newestProbe = number;
    if (!state.awaited || number < state.awaited.number) return undefined;
    const { movedAt } = state;
    state.soundAt = state.awaited.at;
    state.awaited = undefined;
    state.movedAt = undefined;
    return movedAt;
  }
}
