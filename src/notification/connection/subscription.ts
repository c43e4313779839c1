/**
 * One connection's subscription to one channel, and what the connection has been given of the channel.
 *
 *  1. `joining`: the client does not know the epoch yet. Publications are only noted.
 *  2. `recovering`: history is read from `position` on (`recovery.ts`). Publications are only noted.
 *  3. `live`: publications are sent as they arrive. Each one is the next after `position`; any other shows a gap.
 *  4. `position` is that of the newest frame queued for the connection. A client that stores it loses nothing.
 */
import type { StreamPosition } from '../../protocol/messages.js';

/** `next`: send it. `known`: it was sent, or history brings it. `gap`: something before it is missing. */
export type Placement = 'next' | 'known' | 'gap';

interface Joining {
  phase: 'joining';
  /** The oldest and the newest publication noted so far. */
  first?: StreamPosition;
  newest?: StreamPosition;
}

/** One reading of history. It counts while it is its subscription's phase. */
export interface Recovering {
  phase: 'recovering';
  position: StreamPosition;
  /** The newest publication noted since the last page was asked for. */
  newest?: StreamPosition;
  /** Whether the client asked to recover and gets `recovered: true` at the end. A gap is always reported. */
  announce: boolean;
}

type Phase = Joining | Recovering | { phase: 'live'; position: StreamPosition };

/** Where a recovery starts, and what is known of the channel without reading its history. */
export interface Start {
  recovering: Recovering;
  /** Where the channel stood at least; absent where only its history says that. */
  head?: StreamPosition;
}

export class Subscription {
  private state: Phase = { phase: 'joining' };

  /** @param ownerId secure mode, a task's channel: the user as whose task it may be heard */
  constructor(public ownerId?: string) {}

  get phase(): Phase['phase'] {
    return this.state.phase;
  }

  /** Absent while joining. */
  get position(): StreamPosition | undefined {
    return this.state.phase === 'joining' ? undefined : this.state.position;
  }

  /** Whether a task's publication belongs to somebody else than the subscription was granted for. */
  isForeign(audienceUserId: string | undefined): boolean {
    return this.ownerId !== undefined && this.ownerId !== audienceUserId;
  }

  /** Takes notice of a publication, and says what to do with it. */
  place(at: StreamPosition): Placement {
    const { state } = this;
    if (state.phase !== 'live') {
      if (state.phase === 'joining') state.first ??= at;
      if (isNewer(at, state.newest)) state.newest = at;
      return 'known';
    }
    const { epoch, offset } = state.position;
    if (epoch === at.epoch && at.offset <= offset) return 'known';
    if (epoch !== at.epoch || at.offset > offset + 1) return 'gap';
    state.position = at;
    return 'next';
  }

  /** The channel stands at `head`, which may not have arrived by itself. @returns whether history is to be read */
  lacks(head: StreamPosition): boolean {
    const { state } = this;
    if (state.phase === 'live') return state.position.epoch !== head.epoch || state.position.offset < head.offset;
    // `head` is a position, not a publication that this connection had: it never becomes `first`.
    if (isNewer(head, state.newest)) state.newest = head;
    return false;
  }

  /**
   * Begins a recovery, which replaces any other.
   * @param head where the channel stood at some time since this subscription began
   * @param since where the client says it stands; without it the subscription goes on where it is
   */
  start(head: StreamPosition, since?: StreamPosition): Start {
    const { state } = this;
    const newest = state.phase === 'live' ? state.position : state.newest;
    if (since) return { recovering: this.begin(since, true, newest), head: laterOf(head, newest) };
    switch (state.phase) {
      case 'joining': {
        // A connection that had the channel's publications without a position misses none of those noted.
        const offset = state.first?.epoch === head.epoch ? Math.min(head.offset, state.first.offset - 1) : head.offset;
        return { recovering: this.begin({ ...head, offset }, false, newest), head };
      }
      case 'recovering':
        return { recovering: this.begin(state.position, state.announce, newest) };
      case 'live':
        return { recovering: this.begin(state.position, false), head: state.position };
      default:
        return state satisfies never;
    }
  }

  /** Begins a recovery from where the subscription stands; only while it is live. */
  catchUp(): Recovering | undefined {
    return this.state.phase === 'live' ? this.begin(this.state.position, false) : undefined;
  }

  isReading(recovering: Recovering): boolean {
    return this.state === recovering;
  }

  /** The recovery has everything that was noted. */
  goLive({ position }: Recovering): void {
    this.state = { phase: 'live', position };
  }

  private begin(position: StreamPosition, announce: boolean, newest?: StreamPosition): Recovering {
    const recovering: Recovering = { phase: 'recovering', position, announce, ...(newest && { newest }) };
    this.state = recovering;
    return recovering;
  }
}

const isNewer = (at: StreamPosition, newest: StreamPosition | undefined): boolean =>
  newest?.epoch !== at.epoch || newest.offset < at.offset;

/** @returns `undefined` where the epochs differ: only history says which is the newer */
function laterOf(head: StreamPosition, other: StreamPosition | undefined): StreamPosition | undefined {
  if (!other) return head;
  if (other.epoch !== head.epoch) return undefined;
  return other.offset > head.offset ? other : head;
}
