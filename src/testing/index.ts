/** The test kit: an application's own test asks and answers, without a port, a file or a thread. */
export type { SentMessage } from './device.js';
export { Human, type HumanAnswer } from './human.js';
export { TestClock, type Duration } from './test-clock.js';
export { World } from './world.js';
