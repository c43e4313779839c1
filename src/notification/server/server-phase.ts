/** Whether this node takes connections: `idle` -> `running` -> `draining` -> `stopped`, and from there to `running` again. */
import { Injectable } from '@nestjs/common';

export type Phase = 'idle' | 'running' | 'draining' | 'stopped';

@Injectable()
export class ServerPhase {
  private phase: Phase = 'idle';

  get current(): Phase {
    return this.phase;
  }

  /** Whether new connections are taken. */
  get isAccepting(): boolean {
    return this.phase === 'running';
  }

  /** For the lifecycle alone. */
  enter(phase: Phase): void {
    this.phase = phase;
  }
}
