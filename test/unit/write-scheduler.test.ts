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
    await scheduler.turnsTaken();
    expect(written).toEqual([]);
    for (const name of ['b', 'c']) queue(name, 200_000);
    const taken = scheduler.turnsTaken().then(() => written.push('taken'));
    for (const name of ['d', 'e']) queue(name, 200_000);
    await taken;
    expect(written).toEqual(['a', 'b', 'c', 'd', 'taken']);
    await nextTurn();
    expect(written).toEqual(['a', 'b', 'c', 'd', 'taken', 'e']);
  });
});
