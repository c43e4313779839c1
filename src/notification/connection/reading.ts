/**
 * How far this node has read its sockets: the monotonic moment before which nothing waits any more, neither in the kernel
 * nor half read (rule 1 of `engine/deadlines.ts`).
 *
 *  1. A pass takes the time, lets the event loop poll, and asks those that hold something (`Backlog`) whether all from
 *     before has been handed over. There is one every `PULSE_MS`; while a caller waits for a moment, one follows the other.
 *  2. Only a connection that has been read from is asked, until it is clear again: thousands of idle ones cost nothing.
 *  3. A connection that holds input for more than `PATIENCE_MS` of running event loop is no longer waited for: a peer that
 *     does not read its replies, or a flood, must not keep all deadlines from being applied.
 *  4. A pass that comes late says that the node stood still (a blocked event loop, SIGSTOP, a machine asleep).
 */
import { IN_TIME_MS, type Arrival, type EngineReading } from '../engine/deadlines.js';
import { Backlog, type Intake } from './backlog.js';
import { systemClock, type Clock, type ClockTimer } from '../pacing/clock.js';
import { performance, setImmediate } from '../pacing/time-source.js';

const PULSE_MS = 50;
/** Between two passes while a caller waits for a moment. */
const AGAIN_MS = 2;
/** Polls in a pass. The first may have begun before it. The others accept a connection, read it, and read what is left of a large input. */
const POLLS = 4;
/** The event loop accepts one connection a turn: a pass goes on while they come, but no longer than this. */
const ACCEPTING_MS = 2000;
const PATIENCE_MS = 5000;

/** The event loop, and the clock that it goes by. */
export interface EventLoop extends Pick<Clock, 'monotonicMs' | 'after'> {
  /** Calls back once the loop has polled. */
  afterPoll(callback: () => void): void;
  /** For how long the loop has waited for input so far. */
  idleMs(): number;
}

const thisLoop: EventLoop = {
  monotonicMs: () => systemClock.monotonicMs(),
  after: (delayMs, callback) => systemClock.after(delayMs, callback),
  afterPoll: (callback) => void setImmediate(callback),
  idleMs: () => performance.eventLoopUtilization().idle,
};

interface Waiter {
  moment: number;
  readonly resolve: () => void;
}

export class Reading implements EngineReading {
  readUntil: number;
  servingSince = Infinity;
  private readonly holders = new Set<Backlog>();
  private readonly requests = new WeakMap<object, Backlog>();
  private readonly servingListeners: (() => void)[] = [];
  private waiters: Waiter[] = [];
  private timer: ClockTimer | undefined;
  private passing = false;
  /** Polls of the pass since the newest connection was accepted. */
  private quietPolls = 0;
  /** When the previous poll began. Known only during a pass. */
  private polledBefore = -Infinity;
  private stopped = false;
  /** Of the newest pass that has ended. */
  private last: { began: number; idle: number };

  /** @param serves whether connections and requests reach this node */
  constructor(
    private readonly serves: () => boolean,
    private readonly loop: EventLoop = thisLoop,
  ) {
    this.readUntil = loop.monotonicMs();
    this.last = { began: this.readUntil, idle: 0 };
  }

  start(): void {
    this.stopped = false;
    this.timer ??= this.passIn(0);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = undefined;
    this.servingSince = Infinity;
    for (const { resolve } of this.waiters.splice(0)) resolve();
  }

  onServing(listener: () => void): void {
    this.servingListeners.push(listener);
  }

  reach(moment: number): Promise<void> {
    if (this.stopped || this.readUntil >= moment) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiters.push({ moment, resolve });
      this.passAgain();
    });
  }

  /** Something of a connection or a request is being read. */
  holds(backlog: Backlog): void {
    if (this.holders.has(backlog)) return;
    // A connection that was clear has been read by every poll: what is read now came after the one before began.
    backlog.earliest = Math.max(backlog.earliest, this.earliest, this.polledBefore);
    backlog.heldMs = 0;
    this.holders.add(backlog);
  }

  /** A connection was accepted. Others may wait behind it, and its first bytes are yet to be read. */
  accepted(): void {
    this.quietPolls = 0;
  }

  /** A new connection or request. */
  newBacklog(intake: Intake): Backlog {
    return new Backlog(intake, this.earliest);
  }

  /** The connection or request has ended. */
  forget(backlog: Backlog): void {
    this.holders.delete(backlog);
  }

  /** Tracks a request that may decide something. */
  holdRequest(request: object, intake: Intake): Backlog {
    const backlog = this.newBacklog(intake);
    this.requests.set(request, backlog);
    // Its connection may have been accepted a moment ago, and have waited before that.
    this.holders.add(backlog);
    return backlog;
  }

  arrivalOf(request: object): Arrival | undefined {
    return this.requests.get(request);
  }

  /**
   * What is read now did not reach its socket before this moment. While the event loop waited for input, that is now. What
   * came while it was at work has been waiting for that long at most; after a standstill nobody knows since when.
   */
  private get earliest(): number {
    const now = this.loop.monotonicMs();
    const passed = now - this.last.began;
    if (passed > 2 * PULSE_MS) return this.readUntil;
    const busy = passed - (this.loop.idleMs() - this.last.idle);
    return Math.max(this.readUntil, now - Math.max(busy, 0) - 1);
  }

  private passIn(ms: number): ClockTimer {
    return this.loop.after(ms, () => this.pass());
  }

  private passAgain(): void {
    if (this.passing || this.stopped) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.pass();
  }

  private pass(): void {
    this.timer = undefined;
    this.passing = true;
    const { loop } = this;
    const began = loop.monotonicMs();
    const idle = loop.idleMs();
    for (const backlog of this.holders) backlog.pollBegins();
    this.quietPolls = 0;
    let pollBegins = -Infinity;
    const polled = (polls: number): void => {
      // The first poll may be the one that is under way.
      this.polledBefore = polls > 1 ? pollBegins : -Infinity;
      pollBegins = loop.monotonicMs();
      const mayWait = polls < POLLS || pollBegins - began < ACCEPTING_MS;
      if (this.quietPolls < POLLS && mayWait) {
        this.quietPolls += 1;
        return loop.afterPoll(() => polled(polls + 1));
      }
      this.polledBefore = -Infinity;
      this.end(began, idle);
    };
    polled(0);
  }

  private end(began: number, idle: number): void {
    this.passing = false;
    if (this.stopped) return;
    const passedMs = began - this.last.began;
    const begins = this.servingSince === Infinity;
    if (!this.serves()) this.servingSince = Infinity;
    else if (begins || passedMs > IN_TIME_MS) this.servingSince = began;
    if (begins && this.servingSince < Infinity) for (const listener of this.servingListeners) listener();
    this.last = { began, idle };
    this.readUntil = Math.max(this.readUntil, this.handedOver(began, passedMs));
    const reached = this.waiters.filter(({ moment }) => moment <= this.readUntil);
    this.waiters = this.waiters.filter(({ moment }) => moment > this.readUntil);
    for (const { resolve } of reached) resolve();
    this.timer ??= this.passIn(this.waiters.length > 0 ? AGAIN_MS : PULSE_MS);
  }

  /** Up to which moment nobody holds anything. */
  private handedOver(began: number, passedMs: number): number {
    let until = began;
    for (const backlog of this.holders) {
      if (backlog.pollEnded(began)) {
        this.holders.delete(backlog);
        continue;
      }
      if (backlog.earliest >= began) continue;
      // After a standstill nobody has had the time to hand anything over.
      backlog.heldMs += Math.min(passedMs, 2 * PULSE_MS);
      if (backlog.heldMs <= PATIENCE_MS) until = Math.min(until, backlog.earliest);
    }
    return until;
  }
}
