import { Backlog } from '../../src/notification/connection/backlog.js';
import { FakeIntake } from '../support/fake-intake.js';

function makeBacklog(): { backlog: Backlog; intake: FakeIntake; poll(at: number): boolean } {
  const intake = new FakeIntake();
  const backlog = new Backlog(intake, 0);
  const poll = (at: number): boolean => {
    backlog.pollBegins();
    return backlog.pollEnded(at);
  };
  return { backlog, intake, poll };
}

describe('the backlog of a connection', () => {
  it('is empty after a poll when everything has been handed over', () => {
    const { backlog, poll } = makeBacklog();
    expect(poll(10)).toBe(true);
    expect(backlog.earliest).toBe(10);
  });

  it('holds what has been read until it is parsed, and its frames are handed over', () => {
    const { backlog, intake, poll } = makeBacklog();
    intake.read(100);
    expect(poll(10)).toBe(false);
    intake.parse(2);
    expect(poll(20)).toBe(false);
    backlog.handedOver();
    expect(poll(30)).toBe(false);
    expect(backlog.earliest).toBe(0);
    backlog.handedOver();
    // What was there at 10 is through; only the next poll shows that nothing has come since.
    expect(poll(40)).toBe(false);
    expect(backlog.earliest).toBe(10);
    expect(poll(50)).toBe(true);
    expect(backlog.earliest).toBe(50);
  });

  it('moves on behind a client that never stops sending, by the frames that it held at a poll', () => {
    const { backlog, intake, poll } = makeBacklog();
    for (let at = 10; at <= 100; at += 10) {
      intake.read(10);
      intake.parse(1);
      expect(poll(at)).toBe(false);
      intake.handedOver();
    }
    expect(backlog.earliest).toBeGreaterThanOrEqual(80);
  });

  it.each([
    ['is paused', (intake: FakeIntake) => intake.pause()],
    [
      'was paused and resumed during the poll',
      (intake: FakeIntake) => {
        intake.pause();
        intake.isPaused = false;
      },
    ],
  ])('says nothing of bytes that may wait in the kernel while its socket %s', (_, pause) => {
    const { backlog, intake } = makeBacklog();
    backlog.pollBegins();
    pause(intake);
    expect(backlog.pollEnded(10)).toBe(false);
    expect(backlog.earliest).toBe(0);
    intake.isPaused = false;
    backlog.pollBegins();
    expect(backlog.pollEnded(20)).toBe(true);
    expect(backlog.earliest).toBe(20);
  });

  it('begins its patience again when it has come further', () => {
    const { backlog, intake, poll } = makeBacklog();
    intake.read(1);
    poll(10);
    backlog.heldMs = 4000;
    poll(20);
    expect(backlog.heldMs).toBe(4000);
    intake.parse(1);
    intake.handedOver();
    poll(30);
    expect(backlog.heldMs).toBe(0);
  });
});
