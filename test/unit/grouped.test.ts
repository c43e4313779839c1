/** Values by key, compared with a set for each key. */
import fc from 'fast-check';
import { Grouped } from '../../src/notification/pacing/grouped.js';

describe('values that are grouped', () => {
  it('are those of a set for each key, in order, after any additions and deletions', () => {
    const steps = fc.array(fc.record({ adds: fc.boolean(), key: fc.constantFrom('a', 'b'), value: fc.nat(3) }));
    fc.assert(
      fc.property(steps, (taken) => {
        const grouped = new Grouped<string, number>();
        const sets = new Map(['a', 'b'].map((key) => [key, new Set<number>()]));
        for (const { adds, key, value } of taken) {
          const set = sets.get(key) ?? new Set();
          if (adds) grouped.add(key, value);
          else expect(grouped.delete(key, value)).toBe(set.has(value));
          if (adds) set.add(value);
          else set.delete(value);
          expect([...grouped.of(key)]).toEqual([...set]);
          expect([grouped.count(key), grouped.has(key, value)]).toEqual([set.size, set.has(value)]);
        }
      }),
    );
  });
});
