import { Reconnects } from '../../src/notification/engine/embedded/reconnects.js';

describe('the reconnects of users', () => {
  let now = 0;
  let reconnects: Reconnects;
  beforeEach(() => {
    now = 5000;
    reconnects = new Reconnects(() => now);
  });

  it('are connections that begin within a minute after one has ended, one for each', () => {
    reconnects.left('ann');
    now += 59_000;
    expect([reconnects.came('ann'), reconnects.came('ann'), reconnects.came('bob')]).toEqual([true, false, false]);
    reconnects.left('ann');
    now += 60_000;
    expect(reconnects.came('ann')).toBe(false);
    expect(reconnects.count('ann')).toBe(1);
  });

  it('are counted for an hour after the first of them', () => {
    for (let round = 0; round < 3; round += 1) {
      reconnects.left('ann');
      reconnects.came('ann');
      now += 1_000_000;
    }
    expect(reconnects.count('ann')).toBe(3);
    now += 600_000;
    expect(reconnects.count('ann')).toBe(0);
    reconnects.left('ann');
    reconnects.came('ann');
    expect(reconnects.count('ann')).toBe(1);
  });

  it('forget the user who left first once there are more than 10000', () => {
    for (let user = 0; user <= 10_000; user += 1) reconnects.left(`user-${user}`);
    expect([reconnects.came('user-0'), reconnects.came('user-1'), reconnects.came('user-10000')]).toEqual([false, true, true]);
  });
});
