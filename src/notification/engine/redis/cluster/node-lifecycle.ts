/**
 * The lifecycle of a node: idle → starting → running ⇄ healing → leaving.
 *
 *  1. `starting` ends with the replay. A gap that is reported meanwhile is closed after it.
 *  2. `running` sweeps the partitions.
 *  3. `healing` closes a gap, and repeats that until it succeeds. Sweeps go on. `onGap` is emitted last, so that a handler that
 *     reads again finds Redis there.
 *  4. `leaving` is final: the node's connections count no more, and what it has emitted is noted.
 */
import { EngineUnavailableError } from '../../../notification.errors.js';
import { clearTimeout, setTimeout } from '../../../pacing/time-source.js';
import type { Emitter } from '../../emitter.js';
import type { CatchUp } from './catch-up.js';
import type { Gaps } from './gaps.js';
import type { NodeRegistry } from './node-registry.js';
import type { NodeStart } from './node-start.js';
import type { SweepTimer } from './sweep-timer.js';
import type { Sweep } from './sweep.js';

const RETRY_MS = 200;

type Phase =
  | { name: 'idle' | 'starting' | 'running' | 'leaving' }
  /** Either an attempt is under way, or the timer starts the next one. */
  | { name: 'healing'; attempt: Promise<void> | undefined; timer: NodeJS.Timeout | undefined };

export interface LifecycleParts {
  readonly partitions: readonly number[];
  readonly nodes: NodeRegistry;
  readonly start: NodeStart;
  readonly sweep: Sweep;
  readonly timer: SweepTimer;
  readonly gaps: Gaps;
  readonly catchUp: CatchUp;
  readonly emitter: Emitter;
}

export class NodeLifecycle {
  private phase: Phase = { name: 'idle' };

  constructor(private readonly parts: LifecycleParts) {
    parts.gaps.onReport(() => this.heal());
  }

  /** @throws ConfigurationError, EngineUnavailableError */
  async start(): Promise<void> {
    this.phase = { name: 'starting' };
    const { start, gaps } = this.parts;
    await start.run(() => gaps.reset());
  }

  /** Emits the decisions that no node may have emitted, and begins to sweep. */
  async replay(): Promise<void> {
    const { start, timer, gaps } = this.parts;
    await start.replay();
    this.phase = { name: 'running' };
    timer.start();
    gaps.recheck();
    await timer.sweepAll();
  }

  /** Never rejects because Redis is away. */
  async leave(): Promise<void> {
    const { phase } = this;
    this.phase = { name: 'leaving' };
    const { timer, nodes, emitter } = this.parts;
    if (phase.name === 'healing') clearTimeout(phase.timer);
    await timer.stop();
    if (phase.name === 'healing') await phase.attempt;
    try {
      // A node that has not replayed has emitted nothing that could be noted.
      if (phase.name === 'running' || phase.name === 'healing') await this.sweepForTheLastTime();
      await nodes.endLease();
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      emitter.report('leaving', error);
    }
  }

  private async sweepForTheLastTime(): Promise<void> {
    const { partitions, sweep } = this.parts;
    await Promise.all(partitions.map((partition) => sweep.run(partition, 'leaving')));
  }

  private heal(): void {
    if (this.phase.name === 'running') this.phase = { name: 'healing', attempt: undefined, timer: undefined };
    if (this.phase.name !== 'healing' || this.phase.attempt) return;
    const { phase } = this;
    clearTimeout(phase.timer);
    phase.timer = undefined;
    phase.attempt = this.closeGap().then((isClosed) => {
      phase.attempt = undefined;
      if (this.phase !== phase) return;
      if (isClosed) this.phase = { name: 'running' };
      else phase.timer = setTimeout(() => this.heal(), RETRY_MS).unref();
    });
  }

  /** @returns whether no gap is left */
  private async closeGap(): Promise<boolean> {
    const { gaps, catchUp, emitter, timer } = this.parts;
    try {
      await gaps.close((since) => catchUp.run(since));
      emitter.emit((handler) => handler.onGap());
      void timer.sweepAll();
    } catch (error) {
      emitter.report('catching up with Redis', error);
    }
    return !gaps.isOpen;
  }
}
