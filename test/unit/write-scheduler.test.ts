import { WriteScheduler, type Lane, type Writer } from '../../src/notification/pacing/write-scheduler.js';
import { nextTurn } from '../support/fake-connection.js';

const scheduler = new WriteScheduler();
const written: string[] = [];
beforeEach(() => written.splice(0));

function queue(name: string, queuedBytes: number, lane: Lane = 'later'): void {
  const writer: Writer = { queuedBytes, takeTurn: () => written.push(name) };
  scheduler.count(queuedBytes);
  scheduler.add(writer, lane);
}

describe('turns', () => {
  it('are bounded: what is too much for one is written in the next, in order', async () => {
    for (const name of ['a', 'b', 'c']) queue(name, 200_000);
    await nextTurn();
    expect(written).toEqual(['a', 'b']);
    queue('d', 200_000);
    await nextTurn();
    expect(written).toEqual(['a', 'b', 'c', 'd']);
  });

  it('every connection with little to write gets its turn', async () => {
    for (const name of ['a', 'b', 'c']) queue(name, 300_000);
    queue('reply', 200, 'soon');
    await nextTurn();
    expect(written).toEqual(['reply', 'a']);
    await nextTurn();
    await nextTurn();
    expect(written).toEqual(['reply', 'a', 'b', 'c']);
  });

  it('a sender of more than one turn’s bytes waits for the next turn', async () => {
    queue('a', 200_000);
    await scheduler.turnsTaken(true);
    expect(written).toEqual([]);
    for (const name of ['b', 'c']) queue(name, 200_000);
    const taken = scheduler.turnsTaken(true).then(() => written.push('taken'));
    for (const name of ['d', 'e']) queue(name, 200_000);
    await taken;
    expect(written).toEqual(['a', 'b', 'c', 'd', 'taken']);
    await nextTurn();
    expect(written).toEqual(['a', 'b', 'c', 'd', 'taken', 'e']);
  });

  /** Each writer takes a quarter of a millisecond of a clock that nothing else moves. */
  function slowWriters(): { add(lane: Lane, ...names: string[]): void; writes: WriteScheduler; turn(): Promise<string[]> } {
    let now = 0;
    const served: string[] = [];
    const writes = new WriteScheduler(() => now);
    return {
      writes,
      add: (lane, ...names) => {
        for (const name of names)
          writes.add({ queuedBytes: 100, takeTurn: () => (now += served.push(name) > 0 ? 0.25 : 0) }, lane);
      },
      turn: async () => {
        await nextTurn();
        return served.splice(0);
      },
    };
  }
  const named = (name: string, from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, index) => `${name} ${from + index}`);

  it('serve a frame for one connection before the rest of a broadcast, once their time is over', async () => {
    const { add, turn } = slowWriters();
    add('later', ...named('broadcast', 1, 40));
    expect(await turn()).toEqual(named('broadcast', 1, 16));
    add('soon', 'reply');
    expect(await turn()).toEqual(['reply', ...named('broadcast', 17, 32)]);
    expect(await turn()).toEqual(named('broadcast', 33, 40));
  });

  it('serve a broadcast too while replies need more time than there is', async () => {
    const { add, turn } = slowWriters();
    add('later', ...named('broadcast', 1, 20));
    add('soon', ...named('reply', 1, 40));
    expect(await turn()).toEqual([...named('reply', 1, 32), ...named('broadcast', 1, 16)]);
    expect(await turn()).toEqual([...named('reply', 33, 40), ...named('broadcast', 17, 20)]);
  });

  it('let the sender of a broadcast wait until all of it is written, and nobody who sends to one user', async () => {
    const { add, turn, writes } = slowWriters();
    add('later', ...named('broadcast', 1, 300));
    let isWritten = false;
    const sender = writes.turnsTaken(true).then(() => (isWritten = true));
    await writes.turnsTaken(false);
    for (let served = 0; served < 300; served += (await turn()).length) expect(isWritten).toBe(false);
    await sender;
  });
});
