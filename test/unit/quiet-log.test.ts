import { QuietLog } from '../../src/notification/pacing/quiet-log.js';

describe('a quiet log', () => {
  it('writes one line of a kind a minute, with the count of those that it left out', () => {
    let now = 0;
    const lines: string[] = [];
    const quiet = new QuietLog(
      (line) => lines.push(line),
      () => now,
    );
    for (; now < 120_000; now += 20_000) quiet.log('a', `a at ${now}`);
    quiet.log('b', (count) => `${count} of b`, 3);
    quiet.log('b', (count) => `${count} of b`, 4);
    now += 60_000;
    quiet.log('b', (count) => `${count} of b`, 5);
    expect(lines).toEqual(['a at 0', 'a at 60000 (and 2 more before it)', '3 of b', '9 of b']);
    quiet.reset();
    expect(quiet.log('b', 'news')).toBe(true);
  });
});
