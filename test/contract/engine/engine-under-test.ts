/** The engine that a suite runs against: a fresh one before each test, on a state that can outlive it. */
import { randomUUID } from 'node:crypto';
import type {
  Confirmation,
  Engine,
  EngineHandler,
  EngineSettings,
  OpenRequest,
} from '../../../src/notification/engine/engine.js';
import { EngineRecorder } from '../../support/engine-recorder.js';

export interface EngineFixture {
  /** Starts a node on the fixture's state; the node before it has been closed or has crashed. */
  start(handler: EngineHandler, settings?: Partial<EngineSettings>): Promise<Engine>;
  /** Ends the node as `kill -9` would: what it has not stored is lost. */
  crash(): Promise<void>;
  /** Stops whatever runs and removes the state. */
  close(): Promise<void>;
}

export function question(overrides: Partial<OpenRequest> = {}): OpenRequest {
  return {
    callbackId: randomUUID(),
    userId: 'ann',
    taskId: 'task-1',
    step: 1,
    prompt: { stepResult: { message: 'Deploy?' } },
    timeoutMs: 60_000,
    onTimeout: 'abort',
    onTimeoutBy: 'caller',
    ...overrides,
  };
}

export class EngineUnderTest {
  fixture!: EngineFixture;
  engine!: Engine;
  /** What the running engine has emitted since its start. */
  recorder!: EngineRecorder;
  readonly discarded = new Set<string>();

  /** Registers the hooks of the `describe` in which it is made. @param settings of every start that names none */
  constructor(
    private readonly createFixture: () => Promise<EngineFixture>,
    private readonly settings?: Partial<EngineSettings>,
  ) {
    beforeEach(() => this.renew(this.settings));
    afterEach(() => this.fixture.close());
  }

  /** Starts on a new state. */
  async renew(settings?: Partial<EngineSettings>): Promise<void> {
    this.fixture = await this.createFixture();
    this.discarded.clear();
    await this.start(settings);
  }

  /** Starts on the state that the node before it left. */
  async start(settings: Partial<EngineSettings> | undefined = this.settings): Promise<void> {
    this.recorder = new EngineRecorder();
    this.engine = await this.fixture.start(this.recorder, settings);
    await this.engine.replayDecisions();
  }

  async restart(settings?: Partial<EngineSettings>): Promise<void> {
    await this.engine.close();
    await this.start(settings);
  }

  async crash(settings?: Partial<EngineSettings>): Promise<void> {
    await this.fixture.crash();
    await this.start(settings);
  }

  async open(overrides?: Partial<OpenRequest>): Promise<string> {
    return (await this.engine.confirmations.open(question(overrides))).confirmation.callbackId;
  }

  /**
   * Opens a confirmation and waits for its warning. A machine that stands still over a warning gets only the decision;
   * then another confirmation is opened, and the first one is `discarded`.
   * @param opened is called before the warning is due
   */
  async openUntilExpiring(overrides: Partial<OpenRequest>, opened?: (callbackId: string) => Promise<unknown>): Promise<string> {
    for (;;) {
      const callbackId = await this.open(overrides);
      await opened?.(callbackId);
      const isOf = ({ confirmation }: { confirmation: Confirmation }): boolean => confirmation.callbackId === callbackId;
      await this.recorder.until(() => [...this.recorder.of('expiring'), ...this.recorder.of('decided')].some(isOf));
      if (this.recorder.of('expiring').some(isOf)) return callbackId;
      this.discarded.add(callbackId);
    }
  }

  yes(callbackId: string, answeredBy: string | null = 'ann') {
    return this.engine.confirmations.decide({ callbackId, scope: 'all', answeredBy, answer: { proceed: true } });
  }

  cancel(taskId: string, overrides = {}) {
    return this.engine.tasks.cancel({ taskId, scope: 'all', cancelledBy: null, allowUnknown: true, ...overrides });
  }
}
