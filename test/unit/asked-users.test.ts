import { AskedUsers } from '../../src/notification/metrics/asked-users.js';

describe('the count of persons who are asked', () => {
  const HOUR_MS = 3_600_000;
  let now = 0;
  let asked: AskedUsers;
  beforeEach(() => {
    now = 1000;
    asked = new AskedUsers(() => now);
  });

  it('knows how many they are, and the most prompts that one of them got', () => {
    expect(asked.read()).toEqual({ users: 0, most: 0 });
    for (const userId of ['ann', 'bob', 'ann', 'ann']) asked.add(userId);
    expect(asked.read()).toEqual({ users: 2, most: 3 });
  });

  it('forgets them over the second hour, little by little', () => {
    for (let count = 0; count < 8; count += 1) asked.add('ann');
    now += HOUR_MS;
    expect(asked.read()).toEqual({ users: 1, most: 8 });
    now += HOUR_MS / 2;
    asked.add('ann');
    expect(asked.read()).toEqual({ users: 1, most: 5 });
    now += HOUR_MS / 2;
    expect(asked.read()).toEqual({ users: 1, most: 1 });
    now += 2 * HOUR_MS;
    expect(asked.read()).toEqual({ users: 0, most: 0 });
  });

  it('counts no more than 20000 persons', () => {
    for (let user = 0; user < 20_001; user += 1) asked.add(`user-${user}`);
    asked.add('user-0');
    asked.add('user-20000');
    expect(asked.read()).toEqual({ users: 20_000, most: 2 });
  });
});
