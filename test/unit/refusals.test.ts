/** Refusals that repeat: an entry for the first, a count for those like it. */
import { Refusals, type AuditRecord } from '../../src/notification/access/refusals.js';
import { TestClock } from '../../src/testing/test-clock.js';

let clock: TestClock;

const refusal = (address: string, callbackId?: string): AuditRecord => ({
  event: 'refused',
  by: null,
  means: 'rest',
  address,
  what: 'POST /ws/broadcast',
  code: 'UNAUTHENTICATED',
  ...(callbackId !== undefined && { callbackId }),
});

describe('refusals', () => {
  let written: AuditRecord[];
  let refusals: Refusals;
  beforeEach(() => {
    clock = new TestClock();
    written = [];
    refusals = new Refusals((record) => written.push(record), undefined, clock);
  });
  afterEach(() => {
    refusals.close();
  });

  it('refusals of one address make one entry at once, then a count each minute', () => {
    for (let count = 0; count < 500; count += 1) refusals.add(refusal('192.0.2.1', `c-${count}`));
    expect(written).toEqual([refusal('192.0.2.1', 'c-0')]);
    clock.advanceBy(60_000);
    refusals.add(refusal('192.0.2.1'));
    clock.advanceBy(60_000);
    expect(written.slice(1)).toEqual([
      { ...refusal('192.0.2.1'), count: 499 },
      { ...refusal('192.0.2.1'), count: 1 },
    ]);
  });

  it('refusals of one IPv6 network are counted as those of one address', () => {
    for (let host = 1; host < 50; host += 1) refusals.add(refusal(`2001:db8::${host}`));
    refusals.add(refusal('2001:db8:0:1::1'));
    expect(written.map(({ address }) => address)).toEqual(['2001:db8::1', '2001:db8:0:1::1']);
  });

  it('refusals that have stopped are forgotten, and no timer stays', () => {
    refusals.add(refusal('192.0.2.1'));
    clock.advanceBy(60_000);
    expect(clock.pending).toBe(0);
    refusals.add(refusal('192.0.2.1'));
    expect(written).toHaveLength(2);
  });

  it('writes the oldest kind with its count beyond the limit of kinds, and loses none', () => {
    refusals.add(refusal('first'));
    refusals.add(refusal('first'));
    for (let count = 0; count < 10_000; count += 1) refusals.add(refusal(`address-${count}`));
    expect(written).toHaveLength(10_002);
    expect(written).toContainEqual({ ...refusal('first'), count: 1 });
  });

  it('refusals that are only counted are written when the service ends', () => {
    refusals.add(refusal('192.0.2.1'));
    refusals.add(refusal('192.0.2.1'));
    refusals.close();
    expect(written).toEqual([refusal('192.0.2.1'), { ...refusal('192.0.2.1'), count: 1 }]);
    expect(clock.pending).toBe(0);
  });
});
