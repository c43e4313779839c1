import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { recover, type Recovery } from '../../src/notification/connection/recovery.js';
import { resume, type FrameSource } from '../../src/notification/connection/source.js';
import type { Engine, HistoryRequest, HistoryResult, StreamPosition } from '../../src/notification/engine/engine.js';
import { EngineUnavailableError } from '../../src/notification/notification.errors.js';
import { fakeConnection, payloadsOf, type FakeConnection } from '../support/fake-connection.js';

/** A channel's history in memory. */
class History {
  epoch = 'e';
  readonly offsets: number[] = [];
  head = 0;
  onRead: () => void = () => undefined;

  publish(): number {
    this.head += 1;
    this.offsets.push(this.head);
    return this.head;
  }

  engine(): Engine {
    const history = async ({ since, limit }: HistoryRequest): Promise<HistoryResult> => {
      const head = { epoch: this.epoch, offset: this.head };
      const kept = this.offsets.filter((offset) => offset > since.offset);
      const complete = since.epoch === this.epoch && since.offset + kept.length === this.head;
      const result: HistoryResult = complete
        ? { complete, publications: kept.slice(0, limit).map((offset) => ({ message: { type: 'note' }, offset })), head }
        : { complete, head };
      this.onRead();
      return result;
    };
    return { history } as unknown as Engine;
  }
}

function recovery(
  fake: FakeConnection,
  history: History,
  since: StreamPosition,
  announce: boolean,
): { options: Recovery; read(): Promise<unknown[]> } {
  const head = { epoch: history.epoch, offset: history.head };
  const options: Recovery = { channel: 'news', since, head, announce, subscription: { phase: 'recovering', seen: 0 } };
  fake.connection.subscriptions.set('news', options.subscription);
  const read = async (): Promise<unknown[]> => {
    const frames: unknown[] = [];
    for await (const frame of framesOf(recover(history.engine(), fake.connection, options))) {
      const [message] = payloadsOf(frame.wire(false));
      frames.push(message?.['type'] === 'recovered' ? message : message?.['offset']);
    }
    return frames;
  };
  return { options, read };
}

async function* framesOf(source: FrameSource): AsyncGenerator<OutboundFrame> {
  for (let next = source.next(); !next.done; next = source.next()) {
    while (next.value instanceof Promise) next = await resume(source, next.value);
    if (next.value instanceof OutboundFrame) yield next.value;
  }
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const recovered = (offset: number, whole = true): object => ({
  type: 'recovered',
  channel: 'news',
  recovered: whole,
  epoch: 'e',
  offset,
});

describe('a recovery', () => {
  let history: History;
  let fake: FakeConnection;
  beforeEach(() => {
    history = new History();
    fake = fakeConnection();
  });
  const subscription = (): unknown => fake.connection.subscriptions.get('news');

  it('reads page by page, says when it is done, and is live from there', async () => {
    for (let count = 0; count < 250; count += 1) history.publish();
    const { read } = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    expect(await read()).toEqual([...upTo(250), recovered(250)]);
    expect(subscription()).toEqual({ phase: 'live', position: { epoch: 'e', offset: 250 } });
  });

  it('says nothing when nobody asked and nothing is missing', async () => {
    const { read } = recovery(fake, history, { epoch: 'e', offset: 0 }, false);
    expect(await read()).toEqual([]);
    expect(subscription()).toMatchObject({ phase: 'live' });
  });

  it('reads on until it has what was published meanwhile', async () => {
    for (let count = 0; count < 3; count += 1) history.publish();
    const { options, read } = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    let more = 2;
    history.onRead = () => {
      // Published after the reading, told before its result arrives.
      if (more-- > 0) options.subscription.seen = history.publish();
    };
    expect(await read()).toEqual([...upTo(5), recovered(5)]);
  });

  it('reads nothing where the head is known and nothing came after it, and reads on where something did', async () => {
    for (let count = 0; count < 3; count += 1) history.publish();
    let reads = 0;
    history.onRead = () => (reads += 1);
    expect(await recovery(fake, history, { epoch: 'e', offset: 3 }, true).read()).toEqual([recovered(3)]);
    expect(await recovery(fake, history, { epoch: 'old', offset: 3 }, true).read()).toEqual([recovered(3, false)]);
    expect(reads).toBe(0);
    const readOn = async (epoch: string): Promise<unknown[]> => {
      const { options, read } = recovery(fake, history, { epoch, offset: history.head }, true);
      options.subscription.seen = history.publish();
      return read();
    };
    expect(await readOn('e')).toEqual([4, recovered(4)]);
    // A gap is told before what comes after it.
    expect(await readOn('old')).toEqual([recovered(4, false), 5]);
    expect(reads).toBe(2);
    expect(subscription()).toEqual({ phase: 'live', position: { epoch: 'e', offset: 5 } });
  });

  it.each([
    ['another epoch', { epoch: 'old', offset: 1 }],
    ['a place that is gone', { epoch: 'e', offset: 0 }],
    ['a place that is yet to come', { epoch: 'e', offset: 9 }],
  ])('from %s tells the gap, also to who did not ask', async (_what, since) => {
    for (let count = 0; count < 3; count += 1) history.publish();
    history.offsets.shift();
    for (const announce of [true, false])
      expect(await recovery(fake, history, since, announce).read()).toEqual([recovered(3, false)]);
  });

  it('ends without a word when another takes its place, or the subscription ends', async () => {
    for (let count = 0; count < 5; count += 1) history.publish();
    const first = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    const second = recovery(fake, history, { epoch: 'e', offset: 3 }, true);
    expect(await first.read()).toEqual([]);
    expect(await second.read()).toEqual([4, 5, recovered(5)]);
    const third = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    history.onRead = () => fake.connection.subscriptions.delete('news');
    expect(await third.read()).toEqual([]);
    expect(subscription()).toBeUndefined();
  });

  it('shows nothing more of a page once the subscription has ended', async () => {
    for (let count = 0; count < 5; count += 1) history.publish();
    const { options } = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    const frames = recover(history.engine(), fake.connection, options);
    const reading = frames.next();
    const first = await resume(frames, reading.value as Promise<unknown>);
    expect(first.value).toBeInstanceOf(OutboundFrame);
    fake.connection.subscriptions.delete('news');
    expect(frames.next()).toEqual({ done: true, value: undefined });
  });

  it('waits for an engine that is away, as long as the connection lives', async () => {
    let calls = 0;
    history.publish();
    const { options } = recovery(fake, history, { epoch: 'e', offset: 0 }, true);
    const away = {
      history: async () => {
        calls += 1;
        fake.connection.closed();
        throw new EngineUnavailableError();
      },
    } as unknown as Engine;
    for await (const frame of framesOf(recover(away, fake.connection, options))) expect(frame).toBeUndefined();
    expect(calls).toBe(1);
  });
});
