/** How far a node has read, on an event loop that the test turns. */
import { Reading, type EventLoop } from '../../src/notification/connection/reading.js';
import { FakeIntake } from '../support/fake-intake.js';

/** Timers are called late when the loop was blocked, as in Node. */
class TurnedLoop implements EventLoop {
  private now = 100_000;
  private idle = 0;
  private timers: { due: number; callback: () => void }[] = [];
  private polls: (() => void)[] = [];
  /** Called before each poll ends. */
  onPoll: () => void = () => undefined;

  monotonicMs(): number {
    return this.now;
  }

  idleMs(): number {
    return this.idle;
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { due: this.now + delayMs, callback };
    this.timers.push(timer);
    return { cancel: () => (this.timers = this.timers.filter((other) => other !== timer)) };
  }

  afterPoll(callback: () => void): void {
    this.polls.push(callback);
  }

  /** The loop waits for input, and timers and polls get their turns. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1) {
      this.now += 1;
      this.idle += 1;
      this.turn();
    }
  }

  /** Nothing gets its turn meanwhile. */
  block(ms: number): void {
    this.now += ms;
  }

  /** One turn: the timers that are due, and those who waited for a poll. */
  turn(): void {
    const due = this.timers.filter((timer) => timer.due <= this.now);
    this.timers = this.timers.filter((timer) => timer.due > this.now);
    for (const { callback } of due) callback();
    while (this.polls.length > 0) {
      this.onPoll();
      for (const callback of this.polls.splice(0)) callback();
    }
  }
}

interface Site {
  loop: TurnedLoop;
  reading: Reading;
  phase: { serves: boolean };
}

function makeSite(): Site {
  const loop = new TurnedLoop();
  const phase = { serves: true };
  const reading = new Reading(() => phase.serves, loop);
  reading.start();
  loop.run(1);
  return { loop, reading, phase };
}

/** A connection that has read one frame, and has not handed it over. */
function holdOne({ reading }: Site): FakeIntake {
  const intake = new FakeIntake();
  const backlog = reading.newBacklog(intake);
  intake.read(1);
  reading.holds(backlog);
  intake.parse(1);
  return intake;
}

/** Whether a promise has resolved by now. */
async function isResolved(promise: Promise<void>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => (resolved = true));
  await Promise.resolve();
  await Promise.resolve();
  return resolved;
}

describe('how far a node has read', () => {
  it('follows the clock while no connection holds anything', () => {
    const { loop, reading } = makeSite();
    loop.run(1000);
    expect(loop.monotonicMs() - reading.readUntil).toBeLessThanOrEqual(50);
  });

  it('stays before what a connection holds until it has been handed over', () => {
    const site = makeSite();
    const { loop, reading } = site;
    loop.run(200);
    const arrived = loop.monotonicMs();
    const intake = holdOne(site);
    loop.run(1000);
    expect(reading.readUntil).toBeLessThanOrEqual(arrived);
    expect(reading.readUntil).toBeGreaterThan(arrived - 60);
    intake.handedOver();
    loop.run(150);
    expect(loop.monotonicMs() - reading.readUntil).toBeLessThanOrEqual(50);
  });

  it('goes on without a connection that has come no further for 5 s of a running loop', () => {
    const site = makeSite();
    const { loop, reading } = site;
    const arrived = loop.monotonicMs();
    holdOne(site);
    loop.run(4900);
    expect(reading.readUntil).toBeLessThanOrEqual(arrived);
    loop.run(250);
    expect(loop.monotonicMs() - reading.readUntil).toBeLessThanOrEqual(50);
  });

  it('does not lose patience with a connection because the loop was blocked', () => {
    const site = makeSite();
    const { loop, reading } = site;
    const arrived = loop.monotonicMs();
    holdOne(site);
    for (let block = 0; block < 10; block += 1) {
      loop.block(10_000);
      loop.run(1);
    }
    expect(reading.readUntil).toBeLessThanOrEqual(arrived);
  });

  it('forgets a connection that has closed', () => {
    const { loop, reading } = makeSite();
    const intake = new FakeIntake();
    const backlog = reading.newBacklog(intake);
    intake.read(1);
    reading.holds(backlog);
    reading.forget(backlog);
    loop.run(100);
    expect(loop.monotonicMs() - reading.readUntil).toBeLessThanOrEqual(50);
  });

  it('dates input that arrives while the loop is idle to that moment', () => {
    const { loop, reading } = makeSite();
    loop.run(30);
    expect(loop.monotonicMs() - reading.newBacklog(new FakeIntake()).earliest).toBeLessThanOrEqual(2);
  });

  it('dates input that is read after a standstill to the beginning of the standstill', () => {
    const { loop, reading } = makeSite();
    loop.run(100);
    const { readUntil } = reading;
    loop.block(6000);
    expect(reading.newBacklog(new FakeIntake()).earliest).toBe(readUntil);
  });

  it('ends a pass only when no connection has been accepted for some polls, and after 2 s at the latest', () => {
    const { loop, reading } = makeSite();
    loop.run(100);
    let polls = 0;
    loop.onPoll = () => {
      polls += 1;
      if (polls <= 20) reading.accepted();
    };
    loop.run(50);
    expect(polls).toBeGreaterThan(20);
    polls = -1_000_000;
    // Connections come at each poll, which takes 10 ms.
    loop.onPoll = () => {
      polls += 1;
      reading.accepted();
      loop.block(10);
    };
    loop.run(50);
    expect(polls + 1_000_000).toBeGreaterThan(190);
    expect(polls + 1_000_000).toBeLessThan(250);
  });
});

describe('a caller that waits until a node has read up to a moment', () => {
  it('is called when a pass has begun at that moment or later, and at once for a moment in the past', async () => {
    const { loop, reading } = makeSite();
    loop.run(100);
    expect(await isResolved(reading.reach(reading.readUntil))).toBe(true);
    const reached = reading.reach(loop.monotonicMs() + 10);
    loop.run(9);
    expect(await isResolved(reached)).toBe(false);
    loop.run(4);
    expect(await isResolved(reached)).toBe(true);
  });

  it('waits for what a connection read before that moment', async () => {
    const site = makeSite();
    const { loop, reading } = site;
    loop.run(120);
    const intake = holdOne(site);
    const reached = reading.reach(loop.monotonicMs());
    loop.run(500);
    expect(await isResolved(reached)).toBe(false);
    intake.handedOver();
    loop.run(10);
    expect(await isResolved(reached)).toBe(true);
  });

  it('is called when the node stops', async () => {
    const { loop, reading } = makeSite();
    const reached = reading.reach(loop.monotonicMs() + 60_000);
    reading.stop();
    expect(await isResolved(reached)).toBe(true);
    expect(await isResolved(reading.reach(loop.monotonicMs() + 60_000))).toBe(true);
  });
});

describe('the time since which a node serves', () => {
  it('begins when connections reach it, ends when they do not any more, and is announced each time', () => {
    const { loop, reading, phase } = makeSite();
    let announced = 0;
    reading.onServing(() => (announced += 1));
    phase.serves = false;
    loop.run(100);
    expect(reading.servingSince).toBe(Infinity);
    phase.serves = true;
    const began = loop.monotonicMs();
    loop.run(100);
    expect(reading.servingSince).toBeGreaterThanOrEqual(began);
    expect(reading.servingSince).toBeLessThan(began + 60);
    loop.run(5000);
    expect(reading.servingSince).toBeLessThan(began + 60);
    expect(announced).toBe(1);
  });

  it.each([
    [2400, false],
    [2600, true],
  ])('begins again after the loop was blocked for %p ms: %p', (ms, again) => {
    const { loop, reading } = makeSite();
    loop.run(1000);
    const before = reading.servingSince;
    loop.block(ms);
    loop.run(60);
    expect(reading.servingSince > before).toBe(again);
  });

  it('is over when the node stops', () => {
    const { reading } = makeSite();
    expect(reading.servingSince).toBeLessThan(Infinity);
    reading.stop();
    expect(reading.servingSince).toBe(Infinity);
  });
});
