/** The engine of the test kit passes the suites of the engines that production runs. */
import type { Engine, EngineHandler, EngineSettings } from '../../../src/notification/engine/engine.js';
import { newMemoryEngine, type MemoryEngine } from '../../../src/testing/memory-engine.js';
import { MemoryDatabase } from '../../../src/testing/same-thread-store.js';
import { SETTINGS } from '../../support/engine-folder.js';
import { describeEngine } from './engine-suite.js';
import type { EngineFixture } from './engine-under-test.js';

async function createFixture(): Promise<EngineFixture> {
  const database = new MemoryDatabase();
  let process: MemoryEngine | undefined;
  return {
    async start(handler: EngineHandler, settings: Partial<EngineSettings> = {}): Promise<Engine> {
      process = newMemoryEngine({ ...SETTINGS, ...settings }, database);
      await process.engine.start(handler);
      return process.engine;
    },
    async crash() {
      await process?.crash();
    },
    async close() {
      await process?.engine.close();
      await database.close();
    },
  };
}

describeEngine('memory', createFixture);
