/**
 * What every engine must do, whatever it is made of: the guarantees E1-E7 of `engine.ts`, one suite for each of its
 * interfaces. Titles name the guarantee where one is meant.
 */
import { describeBroker } from './broker-suite.js';
import { describeConfirmationStore } from './confirmation-store-suite.js';
import { describeDeadlines } from './deadline-suite.js';
import { EngineUnderTest, type EngineFixture } from './engine-under-test.js';
import { describeEventQueue, STORES_EVENTS } from './event-queue-suite.js';
import { describeLifecycle } from './lifecycle-suite.js';
import { describePresence } from './presence-suite.js';
import { describeTaskStore } from './task-store-suite.js';

export function describeEngine(name: string, createFixture: () => Promise<EngineFixture>): void {
  describe(`the ${name} engine`, () => {
    const node = new EngineUnderTest(createFixture);
    describeConfirmationStore(node);
    describeDeadlines(node);
    describeTaskStore(node);
    describeBroker(node);
    describePresence(node);
    describeLifecycle(node);
  });

  describe(`webhook events of the ${name} engine (E7)`, () => {
    describeEventQueue(new EngineUnderTest(createFixture, STORES_EVENTS));
  });
}
