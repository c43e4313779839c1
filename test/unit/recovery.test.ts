import { OutboundFrame } from '../../src/notification/connection/frame.js';
import { recover } from '../../src/notification/subscription/recovery.js';
import { outcomeOf, resume, type FrameSource } from '../../src/notification/connection/frame-source.js';
import { Subscription } from '../../src/notification/subscription/subscription.js';
import type { HistoryResult, StreamPosition } from '../../src/notification/engine/engine.js';
import { fakeConnection, payloadsOf } from '../support/fake-connection.js';

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

  async read(since: StreamPosition): Promise<HistoryResult> {
    const head = { epoch: this.epoch, offset: this.head };
    const kept = this.offsets.filter((offset) => offset > since.offset);
    const complete = since.epoch === this.epoch && since.offset + kept.length === this.head;
    const result: HistoryResult = complete
      ? { complete, publications: kept.slice(0, 100).map((offset) => ({ text: '{"type":"note"}', offset })), head }
      : { complete, head };
    this.onRead();
    return result;
  }

  /** Publishes, and delivers to a subscription. */
  deliverTo(subscription: Subscription): void {
    subscription.place({ epoch: this.epoch, offset: this.publish() });
  }
}

const newSubscription = (): Subscription => new Subscription(fakeConnection().connection, 'news', async () => undefined);

interface Begun {
  subscription: Subscription;
  source: FrameSource;
  /** The offsets of the publications that it brings, and what else it brings as it is. */
  read(): Promise<unknown[]>;
}

/** A recovery of a new subscription, or of one that is given. */
function recovery(history: History, since?: StreamPosition, subscription = newSubscription()): Begun {
  const start = subscription.start({ epoch: history.epoch, offset: history.head }, since);
  const source = recover({ subscription, ...start, read: (from) => history.read(from) });
  const read = async (): Promise<unknown[]> => {
    const frames: unknown[] = [];
    for await (const frame of framesOf(source)) {
      const [message] = payloadsOf(frame.wire(false));
      frames.push(message?.['type'] === 'recovered' ? message : message?.['offset']);
    }
    return frames;
  };
  return { subscription, source, read };
}

async function* framesOf(source: FrameSource): AsyncGenerator<OutboundFrame> {
  for (let next = source.next(); !next.done; next = source.next()) {
    while (next.value instanceof Promise) next = resume(source, await outcomeOf(next.value));
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
  beforeEach(() => {
    history = new History();
  });
  const publish = (count: number): void => {
    for (let n = 0; n < count; n += 1) history.publish();
  };
  const at = (offset: number, epoch = 'e'): StreamPosition => ({ epoch, offset });

  it('reads page by page, says when it is done, and is live from there', async () => {
    publish(250);
    const { read, subscription } = recovery(history, at(0));
    expect(await read()).toEqual([...upTo(250), recovered(250)]);
    expect([subscription.phase, subscription.position]).toEqual(['live', at(250)]);
  });

  it('says nothing when nobody asked and nothing is missing', async () => {
    publish(3);
    const { read, subscription } = recovery(history);
    expect(await read()).toEqual([]);
    expect([subscription.phase, subscription.position]).toEqual(['live', at(3)]);
  });

  it('reads on until it has what was published meanwhile', async () => {
    publish(3);
    const { subscription, read } = recovery(history, at(0));
    let more = 2;
    // Published after the reading, delivered before its result arrives.
    history.onRead = () => {
      if (more-- > 0) history.deliverTo(subscription);
    };
    expect(await read()).toEqual([...upTo(5), recovered(5)]);
  });

  it('reads nothing where the head is known and nothing came after it, and reads on where something did', async () => {
    publish(3);
    let reads = 0;
    history.onRead = () => (reads += 1);
    expect(await recovery(history, at(3)).read()).toEqual([recovered(3)]);
    expect(await recovery(history, at(3, 'old')).read()).toEqual([recovered(3, false)]);
    expect(reads).toBe(0);
    const readOn = async (epoch: string): Promise<unknown[]> => {
      const { subscription, read } = recovery(history, at(history.head, epoch));
      history.deliverTo(subscription);
      return read();
    };
    expect(await readOn('e')).toEqual([4, recovered(4)]);
    // A gap is reported before what comes after it.
    expect(await readOn('old')).toEqual([recovered(4, false), 5]);
    expect(reads).toBe(2);
  });

  it.each([
    ['another epoch', at(1, 'old')],
    ['a place that is gone', at(0)],
    ['a place that is yet to come', at(9)],
  ])('a recovery from %s reports the gap, also to a subscription that did not ask for it', async (_what, since) => {
    publish(3);
    history.offsets.shift();
    expect(await recovery(history, since).read()).toEqual([recovered(3, false)]);
    const { subscription, read } = recovery(history);
    await read();
    publish(2);
    history.offsets.splice(0);
    expect(subscription.place(at(5))).toBe('gap');
    const recovering = subscription.catchUp();
    if (!recovering) throw new Error('the subscription is not live');
    const frames: unknown[] = [];
    const source = recover({ subscription, recovering, read: (from) => history.read(from) });
    for await (const frame of framesOf(source)) frames.push(...payloadsOf(frame.wire(false)));
    expect(frames).toEqual([recovered(5, false)]);
  });

  it('is followed to another epoch that begins meanwhile, and gives its position before its publications', async () => {
    publish(3);
    const { subscription, read } = recovery(history, at(1));
    history.onRead = () => {
      history.onRead = () => undefined;
      Object.assign(history, { epoch: 'next', head: 0 });
      history.offsets.splice(0);
      history.deliverTo(subscription);
    };
    expect(await read()).toEqual([2, 3, { ...recovered(1, false), epoch: 'next' }]);
    expect(subscription.position).toEqual(at(1, 'next'));
  });

  it('ends silently when another takes its place', async () => {
    publish(5);
    const first = recovery(history, at(0));
    const second = recovery(history, at(3), first.subscription);
    expect(await first.read()).toEqual([]);
    expect(await second.read()).toEqual([4, 5, recovered(5)]);
  });

  it('continues when the client subscribes again without a position', async () => {
    publish(5);
    const first = recovery(history, at(0));
    const next = first.source.next();
    resume(first.source, await outcomeOf(next.value as Promise<unknown>));
    first.source.next();
    expect(first.subscription.position).toEqual(at(2));
    const second = recovery(history, undefined, first.subscription);
    expect(await second.read()).toEqual([3, 4, 5, recovered(5)]);
  });

  it('replies to a repeated subscribe with the position of the last frame sent', async () => {
    publish(2);
    const { subscription, read } = recovery(history);
    await read();
    const head = at(history.head);
    history.deliverTo(subscription);
    // The head was read before the last publication arrived.
    const start = subscription.start(head);
    expect(start.recovering.position).toEqual(at(3));
    const source = recover({ subscription, ...start, read: () => Promise.reject(new Error('not needed')) });
    expect(source.next().done).toBe(true);
    expect(subscription.phase).toBe('live');
  });

  it('stops once its history is not wanted any more', async () => {
    publish(5);
    const subscription = newSubscription();
    const start = subscription.start(at(5), at(0));
    const source = recover({ subscription, ...start, read: async () => undefined });
    for await (const frame of framesOf(source)) expect(frame).toBeUndefined();
    expect(subscription.phase).toBe('recovering');
  });
});
