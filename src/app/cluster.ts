/** Several processes on one port, for machines with several cores: the first starts the others and passes signals on. */
import { randomBytes } from 'node:crypto';
import cluster from 'node:cluster';
import { Primary } from './primary.js';
import { NODE_NAME } from './worker-messages.js';

/** The pause before a worker that ended is started again. It doubles until a worker listens. */
const RESTART_PAUSE_MS = { first: 1000, longest: 30_000 };

/** Starts `count` copies of this program, which take `maxConnections` together; ends with them. */
export function runWorkers(count: number, maxConnections: number, pauseMs = RESTART_PAUSE_MS): void {
  // JSON has no NaN, which a gauge has while the engine is away.
  cluster.setupPrimary({ serialization: 'advanced' });
  new Primary(maxConnections).serve();
  new Workers(count, pauseMs).start();
}

export const isFirst = (): boolean => cluster.isPrimary;

class Workers {
  private readonly environment = { [NODE_NAME]: randomBytes(6).toString('hex') };
  private hasListened = false;
  private nextPauseMs: number;
  private restart: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    private readonly count: number,
    private readonly pauseMs: typeof RESTART_PAUSE_MS,
  ) {
    this.nextPauseMs = pauseMs.first;
  }

  start(): void {
    cluster.on('listening', () => this.onListening());
    // A worker that was killed has no code.
    cluster.on('exit', (_worker, code: number | null) => this.onExit(code ?? 1));
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.stop(signal));
    this.forkMissing();
  }

  private onListening(): void {
    this.hasListened = true;
    this.nextPauseMs = this.pauseMs.first;
    if (this.missing > 0) this.restartSoon();
  }

  private onExit(code: number): void {
    if (this.stopping) this.exitIfAlone(0);
    // Without one worker that has ever listened, the settings are probably wrong, and the error has been printed.
    else if (this.hasListened) this.restartSoon();
    else this.exitIfAlone(code);
  }

  private restartSoon(): void {
    if (this.restart || this.stopping) return;
    this.restart = setTimeout(() => {
      this.restart = undefined;
      this.forkMissing();
    }, this.nextPauseMs);
    this.nextPauseMs = Math.min(this.nextPauseMs * 2, this.pauseMs.longest);
  }

  private forkMissing(): void {
    for (let missing = this.missing; missing > 0; missing -= 1) cluster.fork(this.environment);
  }

  private stop(signal: NodeJS.Signals): void {
    this.stopping = true;
    clearTimeout(this.restart);
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
    this.exitIfAlone(0);
  }

  /** A dead worker stays in `cluster.workers` until its last messages have been read. */
  private get missing(): number {
    return this.count - Object.values(cluster.workers ?? {}).filter((worker) => worker?.isDead() === false).length;
  }

  private exitIfAlone(code: number): void {
    if (this.missing === this.count) process.exit(code);
  }
}
