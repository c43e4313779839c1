import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import type { Task } from '../../src/notification/engine/engine.js';
import { Cancellations } from '../../src/notification/task/cancellations.js';
import { nextTurn } from '../support/fake-connection.js';

const task = (taskId: string, cancelled: boolean, reason?: string): Task => ({ taskId, userId: 'ann', cancelled, reason });

/** Cancellations over an engine that knows these tasks. */
function over(getTask: (taskId: string) => Promise<Task | undefined>): Cancellations {
  return new Cancellations({ get: getTask }, { retentionMs: 60_000 });
}

describe('cancellations', () => {
  it('a cancellation aborts the signal of its task with its reason, and is emitted', async () => {
    const cancellations = over(async () => undefined);
    const told: string[] = [];
    cancellations.cancellations$.subscribe(({ taskId }) => told.push(taskId));
    const [signal, other] = [cancellations.signal('a'), cancellations.signal('b')];
    expect(cancellations.signal('a')).toBe(signal);
    cancellations.onTask(task('a', true, 'enough'));
    expect([signal.aborted, (signal.reason as Error).name, (signal.reason as Error).message]).toEqual([
      true,
      'AbortError',
      'enough',
    ]);
    expect(other.aborted).toBe(false);
    expect(told).toEqual(['a']);
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

  it('a cancellation whose event was lost is found by reading again', async () => {
    let cancelled = false;
    const cancellations = over(async (taskId) => task(taskId, cancelled));
    const signal = cancellations.signal('a');
    await nextTurn();
    cancelled = true;
    await cancellations.reread();
    expect(signal.aborted).toBe(true);
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
