/**
 * The world of a test: a person's time, and a process of the application that starts, crashes and starts again on the data
 * that it had stored.
 */
import type { INestApplicationContext } from '@nestjs/common';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { Hub } from '../notification/connection/hub.js';
import { Reading } from '../notification/connection/reading.js';
import { Engine } from '../notification/engine/engine.js';
import { ResolvedOptions } from '../notification/notification.options.js';
import { Clock } from '../notification/pacing/clock.js';
import { TimerWheel } from '../notification/pacing/timer-wheel.js';
import { newMemoryEngine, type MemoryEngine } from './memory-engine.js';
import { ExactWheel, ProcessClock } from './process-clock.js';
import { MemoryDatabase } from './same-thread-store.js';
import { TestClock } from './test-clock.js';

/** What runs between a start and the next crash. */
interface Process {
  readonly app: INestApplicationContext;
  readonly engine: MemoryEngine;
  readonly clock: ProcessClock;
}

export class World {
  /** The time by which deadlines pass and heartbeats go. It stands still until it is advanced. */
  readonly clock: TestClock;
  private database = new MemoryDatabase();
  private process: Process | undefined;

  /**
   * @param describe makes the testing module, again for every start; it is compiled here
   * @param options `clock`: one that begins at another time. @default one that begins in the present
   * @example
   * const world = new World(() => Test.createTestingModule({ imports: [AppModule] }));
   */
  constructor(
    private readonly describe: () => TestingModuleBuilder,
    { clock = new TestClock() }: { clock?: TestClock } = {},
  ) {
    this.clock = clock;
  }

  /**
   * Starts the application's process.
   *
   * @returns the testing module, initialised
   * @throws Error while a process runs
   */
  async start(): Promise<INestApplicationContext> {
    if (this.process) throw new Error('the process runs: crash or close it first');
    const clock = new ProcessClock(this.clock);
    let engine: MemoryEngine | undefined;
    const newEngine = (options: ResolvedOptions): Engine => {
      const settings = { ...options, webhookEvents: options.webhook?.events };
      engine = newMemoryEngine(settings, this.database, clock);
      return engine.engine;
    };
    const app = await this.describe()
      .overrideProvider(Engine)
      .useFactory({ factory: newEngine, inject: [ResolvedOptions] })
      .overrideProvider(Clock)
      .useValue(clock)
      .overrideProvider(TimerWheel)
      .useValue(new ExactWheel(clock))
      .compile();
    try {
      await app.init();
      if (!engine) throw new Error('the application does not import NotificationModule');
      this.process = { app, engine, clock };
      return app;
    } catch (error) {
      // Another start is possible: nothing of this one holds the data.
      clock.end();
      await engine?.crash();
      throw error;
    }
  }

  /** Ends the process as `kill -9` does. Calls that wait in it never return. @throws Error while no process runs */
  async crash(): Promise<void> {
    const { app, engine, clock } = this.running();
    this.process = undefined;
    app.get(Reading, { strict: false }).stop();
    clock.end();
    await engine.crash();
  }

  /** Starts the process again, on what the one before it had stored. @returns the testing module, initialised */
  restart(): Promise<INestApplicationContext> {
    return this.start();
  }

  /** Ends the process in order, if one runs, and forgets what was stored: the next start begins with nothing. */
  async close(): Promise<void> {
    const process = this.process;
    this.process = undefined;
    // A drain spreads the disconnections of many devices over seconds.
    for (const connection of process?.app.get(Hub, { strict: false }).connections ?? []) connection.terminate();
    await process?.app.close();
    await this.database.close();
    this.database = new MemoryDatabase();
  }

  private running(): Process {
    if (!this.process) throw new Error('no process runs: start one first');
    return this.process;
  }
}
