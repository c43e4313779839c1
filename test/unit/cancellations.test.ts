import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import type { Task } from '../../src/notification/engine/engine.js';
import { Cancellations } from '../../src/notification/task/cancellations.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { nextTurn } from '../support/fake-connection.js';

const task = (taskId: string, cancelled: boolean, reason?: string): Task => ({ taskId, userId: 'ann', cancelled, reason });

let clock: TestClock;
beforeEach(() => {
  clock = new TestClock();
});

/** Cancellations over an engine that knows these tasks. */
function over(getTask: (taskId: string) => Promise<Task | undefined>): Cancellations {
  return new Cancellations({ get: getTask }, new TimerWheel(1000, clock));
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Lets a minute pass in which the garbage is collected. */
async function passMinute(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await nextTurn();
    collectGarbage();
  }
  clock.advanceBy(61_000);
}

describe('cancellations', () => {
  it('a cancellation aborts the signal of its task with its reason, and is emitted', async () => {
    const cancellations = over(async () => undefined);
    const emitted: string[] = [];
    cancellations.cancellations$.subscribe(({ taskId }) => emitted.push(taskId));
    const [signal, other] = [cancellations.signal('a'), cancellations.signal('b')];
    expect(cancellations.signal('a')).toBe(signal);
    cancellations.onTask(task('a', true, 'enough'));
    expect([signal.aborted, (signal.reason as Error).name, (signal.reason as Error).message]).toEqual([
      true,
      'AbortError',
      'enough',
    ]);
    expect(other.aborted).toBe(false);
    expect(emitted).toEqual(['a']);
    cancellations.close();
  });

  it('an earlier cancellation aborts the signal soon after it is requested', async () => {
    const cancellations = over(async (taskId) => task(taskId, true));
    const signal = cancellations.signal('a');
    await nextTurn();
    expect(signal.aborted).toBe(true);
    cancellations.close();
  });

  it('a resumed task gets a fresh signal', async () => {
    const cancellations = over(async () => undefined);
    const [aborted, untouched] = [cancellations.signal('a'), cancellations.signal('b')];
    cancellations.onTask(task('a', true));
    cancellations.onTask(task('a', false));
    cancellations.onTask(task('b', false));
    expect(cancellations.signal('a')).not.toBe(aborted);
    expect(cancellations.signal('a').aborted).toBe(false);
    expect(cancellations.signal('b')).toBe(untouched);
    cancellations.close();
  });

  it('cancellations and resumptions whose events were lost are found by reading again, and cancellations are emitted', async () => {
    const states = { a: false, b: true };
    const cancellations = over(async (taskId) => task(taskId, states[taskId as 'a' | 'b']));
    const emitted: string[] = [];
    cancellations.cancellations$.subscribe(({ taskId }) => emitted.push(taskId));
    const [cancelled, resumed] = [cancellations.signal('a'), cancellations.signal('b')];
    await nextTurn();
    Object.assign(states, { a: true, b: false });
    await cancellations.reread();
    expect([cancelled.aborted, resumed.aborted, cancellations.signal('b').aborted]).toEqual([true, true, false]);
    expect(emitted).toEqual(['a']);
    cancellations.close();
  });

  it('a task that is resumed while it is read as cancelled is not aborted', async () => {
    let answer!: (found: Task) => void;
    const cancellations = over(() => new Promise((resolve) => (answer = resolve)));
    const signal = cancellations.signal('a');
    cancellations.onTask(task('a', false));
    answer(task('a', true));
    await nextTurn();
    expect(signal.aborted).toBe(false);
    cancellations.close();
  });

  it('a signal is kept while a listener or a combined signal waits for it, and forgotten when nobody can see it', async () => {
    const cancellations = over(async () => undefined);
    let heard = 0;
    const held = cancellations.signal('held');
    cancellations.signal('listener').addEventListener('abort', () => (heard += 1));
    const combine = (): AbortSignal => AbortSignal.any([cancellations.signal('combined'), new AbortController().signal]);
    const combined = combine();
    // In a call of its own: the compiler keeps the last value of a function's body.
    const drop = (): void => void cancellations.signal('nobody');
    drop();
    for (let minute = 0; minute < 3; minute += 1) await passMinute();
    expect(cancellations.size).toBe(3);
    for (const taskId of ['held', 'listener', 'combined', 'nobody']) cancellations.onTask(task(taskId, true));
    expect([held.aborted, heard, combined.aborted]).toEqual([true, 1, true]);
    for (let minute = 0; minute < 3; minute += 1) await passMinute();
    expect(cancellations.size).toBe(1);
    cancellations.close();
  });

  it('a cancellation is read when the engine is available again', async () => {
    let calls = 0;
    const cancellations = over(async (taskId) => {
      calls += 1;
      if (calls === 1) throw new EngineUnavailableError();
      return task(taskId, true);
    });
    const signal = cancellations.signal('a');
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(calls).toBe(2);
    cancellations.close();
  });

  it('the stream of cancellations ends with the service', () => {
    const cancellations = over(async () => undefined);
    let completed = false;
    cancellations.cancellations$.subscribe({ complete: () => (completed = true) });
    const signal = cancellations.signal('a');
    cancellations.close();
    cancellations.onTask(task('a', true));
    expect([completed, signal.aborted]).toEqual([true, false]);
  });
});
