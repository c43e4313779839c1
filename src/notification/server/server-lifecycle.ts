/**
 * Starts, drains and stops this node's part of the service, in Nest's order.
 *
 *  1. Start: the engine opens its store and applies missed deadlines; then connections are taken; then decisions are
 *     replayed, as by now every listener of the application is in place.
 *  2. Stop: connections are closed with 1012, spread over `drainTimeoutMs`. Then calls that wait for a decision reject, so
 *     that HTTP requests can end. Then timers stop and the engine closes.
 *  3. A fault or a shutdown decides nothing: prompts stay pending. A step that fails does not keep the others from closing.
 */
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { CLOSE } from '../../protocol/codes.js';
import { ServerPhase } from './server-phase.js';
import { Confirmations } from '../confirmation/confirmations.js';
import { Hub } from '../connection/hub.js';
import { Reading } from '../connection/reading.js';
import { Dispatcher } from '../dispatcher.js';
import { Engine } from '../engine/engine.js';
import { ServiceClosedError } from '../notification.errors.js';
import { ResolvedOptions } from '../notification.options.js';
import { everyStep } from '../pacing/every-step.js';
import { TimerWheel } from '../pacing/timer-wheel.js';
import { Acknowledgements } from '../subscription/acknowledgements.js';
import { Cancellations } from '../task/cancellations.js';
import { Heartbeats } from '../task/heartbeats.js';
import { WebhookSender } from '../webhook/sender.js';
import { delay } from '../pacing/time-source.js';

@Injectable()
export class ServerLifecycle implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  /** How often `start` and `stop` were called. */
  private calls = 0;
  private isShuttingDown = false;
  private draining: Promise<void> | undefined;

  constructor(
    @Inject(ResolvedOptions) private readonly options: ResolvedOptions,
    @Inject(Engine) private readonly engine: Engine,
    private readonly phase: ServerPhase,
    private readonly hub: Hub,
    private readonly reading: Reading,
    private readonly dispatcher: Dispatcher,
    private readonly confirmations: Confirmations,
    private readonly acknowledgements: Acknowledgements,
    private readonly cancellations: Cancellations,
    private readonly heartbeats: Heartbeats,
    private readonly webhook: WebhookSender,
    private readonly wheel: TimerWheel,
  ) {}

  async onModuleInit(): Promise<void> {
    this.reading.start();
    await this.engine.start(this.dispatcher);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.start();
    await this.engine.replayDecisions();
    this.webhook.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.isShuttingDown = true;
    await everyStep(
      () => this.stop(),
      () => this.confirmations.close(),
      () => this.acknowledgements.stop(),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await everyStep(
      () => this.heartbeats.close(),
      () => this.wheel.close(),
      () => this.webhook.close(),
      // The listeners close last, because the engine emits the final decisions while it closes.
      () => this.engine.close(),
      () => this.reading.stop(),
      () => this.cancellations.close(),
      () => this.dispatcher.close(),
    );
  }

  /**
   * Takes connections, after a drain that is under way has ended, unless there is another call meanwhile: the last one counts.
   * @throws ServiceClosedError when the application is shutting down
   */
  async start(): Promise<void> {
    if (this.isShuttingDown) throw new ServiceClosedError();
    const call = (this.calls += 1);
    await this.draining;
    if (call === this.calls) this.phase.enter('running');
  }

  /** Drains this node. A second call during a drain waits for its end. */
  stop(): Promise<void> {
    this.calls += 1;
    if (this.phase.isAccepting) this.draining = this.drain();
    return this.draining ?? Promise.resolve();
  }

  private async drain(): Promise<void> {
    this.phase.enter('draining');
    const connections = [...this.hub.connections];
    const pauseMs = this.options.drainTimeoutMs / Math.max(connections.length, 1);
    await Promise.all(
      connections.map(async (connection, index) => {
        if (index > 0) await delay(index * pauseMs);
        await connection.close(CLOSE.SERVICE_RESTART);
      }),
    );
    this.phase.enter('stopped');
  }
}
