import { Liveness } from '../../src/notification/connection/liveness.js';
import { RoundTrips } from '../../src/notification/connection/round-trips.js';
import { TimerWheel } from '../../src/notification/pacing/timer-wheel.js';
import { fakeConnection, nextTurn } from '../support/fake-connection.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

function watch(): { liveness: Liveness; dead: string[] } & ReturnType<typeof fakeConnection> {
  const fake = fakeConnection();
  const dead: string[] = [];
  const settings = { pingIntervalMs: 1000, pingTimeoutMs: 400 };
  const liveness = new Liveness(fake.connection, new TimerWheel(100, clock), settings, ({ id }) => dead.push(id));
  return { ...fake, liveness, dead };
}

describe('liveness', () => {
  beforeEach(() => {
    clock = new TestClock();
  });

  it('pings every interval as long as the peer answers, and measures the round trip', () => {
    const { liveness, calls, dead, connection } = watch();
    expect(connection.roundTrips.lastMs).toBeUndefined();
    for (let count = 1; count <= 3; count += 1) {
      clock.advanceBy(1100);
      expect(calls).toHaveLength(count);
      clock.advanceBy(30);
      liveness.pong();
      expect(connection.roundTrips.lastMs).toBeGreaterThanOrEqual(30);
      expect(connection.roundTrips.lastMs).toBeLessThanOrEqual(130);
    }
    expect(dead).toEqual([]);
  });

  it('measures how much the round trips vary, from the second one on', () => {
    const trips = new RoundTrips();
    const spreads = [30, 30, 230].map((roundTripMs) => {
      trips.record(roundTripMs);
      return trips.spreadMs;
    });
    expect(spreads).toEqual([undefined, 0, 50]);
  });

  it('finds a peer that does not answer within interval and time-out', () => {
    const { dead, connection } = watch();
    clock.advanceBy(1300);
    expect(dead).toEqual([]);
    clock.advanceBy(300);
    expect(dead).toEqual([connection.id]);
  });

  it('is not misled by a pong that nobody asked for', () => {
    const { liveness, dead, calls, connection } = watch();
    liveness.pong();
    expect(connection.roundTrips.lastMs).toBeUndefined();
    clock.advanceBy(1600);
    expect([calls, dead.length]).toEqual([['ping'], 1]);
  });

  it('waits for the pong of a peer whose socket is not read, and gives it the whole time-out when it is read again', async () => {
    const { liveness, dead, connection } = watch();
    let answer!: () => void;
    connection.incoming.handleWith(() => new Promise<void>((resolve) => (answer = resolve)));
    for (let frame = 0; frame < 70; frame += 1) connection.incoming.receive('{}');
    clock.advanceBy(5000);
    expect(dead).toEqual([]);
    clock.advanceBy(300);
    for (let frame = 0; frame < 70; frame += 1) {
      answer();
      await nextTurn();
    }
    expect(connection.incoming.isHeldUp).toBe(false);
    liveness.resumed();
    clock.advanceBy(350);
    expect(dead).toEqual([]);
    clock.advanceBy(300);
    expect(dead).toEqual([connection.id]);
  });

  it('leaves no timer behind', () => {
    const { liveness, dead, calls } = watch();
    liveness.stop();
    clock.advanceBy(10_000);
    expect([calls, dead, clock.pending]).toEqual([[], [], 0]);
  });
});
