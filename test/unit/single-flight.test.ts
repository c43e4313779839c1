import { SingleFlight } from '../../src/notification/pacing/single-flight.js';
import { nextTurn } from '../support/fake-connection.js';

/** Work whose runs end when the test says so. */
function makeFlight(): { flight: SingleFlight; ends: ((error?: Error) => void)[] } {
  const ends: ((error?: Error) => void)[] = [];
  const flight = new SingleFlight(
    () =>
      new Promise((resolve, reject) => {
        ends.push((error) => (error ? reject(error) : resolve()));
      }),
  );
  return { flight, ends };
}

describe('a single flight', () => {
  it('runs once more, after the current run, for all requests that come during it', async () => {
    const { flight, ends } = makeFlight();
    const first = flight.run();
    await nextTurn();
    const [second, third] = [flight.run(), flight.run()];
    const joined = flight.join();
    expect([second === third, ends.length]).toEqual([true, 1]);
    ends[0]?.();
    await Promise.all([first, joined]);
    await nextTurn();
    expect([flight.isRunning, ends.length]).toEqual([true, 2]);
    ends[1]?.();
    await second;
    expect([flight.isRunning, ends.length]).toEqual([false, 2]);
  });

  it('loses no request that comes while a run is ending, and never runs twice at a time', async () => {
    let running = 0;
    let wanted = 0;
    let done = 0;
    const flight = new SingleFlight(async () => {
      running += 1;
      expect(running).toBe(1);
      await Promise.resolve();
      done = wanted;
      running -= 1;
    });
    // A request in every microtask around the end of the runs.
    const requests: Promise<void>[] = [];
    for (let turn = 0; turn < 200; turn += 1) {
      const own = (wanted += 1);
      requests.push(flight.run().then(() => expect(done).toBeGreaterThanOrEqual(own)));
      for (let pause = 0; pause < turn % 20; pause += 1) await Promise.resolve();
    }
    await Promise.all(requests);
  });

  it('fails the requests that wait for the next run when a run fails, and works again afterwards', async () => {
    const { flight, ends } = makeFlight();
    const first = flight.run();
    await nextTurn();
    const second = flight.run();
    ends[0]?.(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    await expect(second).rejects.toThrow('broken');
    await flight.idle();
    const third = flight.run();
    await nextTurn();
    ends[1]?.();
    await third;
  });
});
