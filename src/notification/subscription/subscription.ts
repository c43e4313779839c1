/**
 * One connection's subscription to one channel, with its phase and its position.
 *
 *  1. `joining`: the client does not know the epoch yet. Publications are only noted.
 *  2. `recovering`: history is read from `position` on (`recovery.ts`). Publications are only noted.
 *  3. `live`: publications are sent as they arrive. Each one must follow `position` directly; any other shows a gap.
 *  4. `ended`: the connection has left the channel, or is closed. Nothing is sent or noted any more.
 *
 * `position` is that of the newest frame queued for the connection. A client that stores it loses nothing.
 */
import type { StreamPosition, SubscriptionEnded } from '../../protocol/messages.js';
import type { Connection } from '../connection/connection.js';
import { OutboundFrame } from '../connection/frame.js';
import type { FrameSource } from '../connection/frame-source.js';

/** `next`: send it. `known`: it was sent already, or history contains it. `gap`: something before it is missing. */
export type Placement = 'next' | 'known' | 'gap';

interface Joining {
  phase: 'joining';
  /** The oldest and the newest publication noted so far. */
  first?: StreamPosition;
  newest?: StreamPosition;
}

/** One reading of history. It is current while it is its subscription's phase. */
export interface Recovering {
  phase: 'recovering';
  position: StreamPosition;
  /** The newest publication noted since the last page was asked for. */
  newest?: StreamPosition;
  /** Whether the client asked to recover and gets `recovered: true` at the end. A gap is always reported. */
  announce: boolean;
}

type Phase = Joining | Recovering | { phase: 'live'; position: StreamPosition } | { phase: 'ended' };

/** Where a recovery starts, and what is known of the channel without reading its history. */
export interface Start {
  recovering: Recovering;
  /** The channel's position, or an earlier one. Absent if only the history can say. */
  head?: StreamPosition;
}

/** Where a channel stands, and which prompts are pending in it. */
export interface ChannelState {
  position: StreamPosition;
  /** Callback ids. */
  pending: string[];
}

export class Subscription {
  /** Secure mode, a task's channel: the task's user for whom the subscription was granted. */
  ownerId?: string;
  private state: Phase = { phase: 'joining' };

  /** @param onEnd called once, when the subscription ends */
  constructor(
    readonly connection: Connection,
    readonly channel: string,
    private readonly onEnd: (subscription: Subscription) => Promise<void>,
  ) {}

  get phase(): Phase['phase'] {
    return this.state.phase;
  }

  /** Absent while joining, and after the end. */
  get position(): StreamPosition | undefined {
    return 'position' in this.state ? this.state.position : undefined;
  }

  /** Whether a task's publication belongs to another user than the subscription was granted for. */
  isForeign(audienceUserId: string | undefined): boolean {
    return this.ownerId !== undefined && this.ownerId !== audienceUserId;
  }

  /** Notes a publication. @returns what to do with it */
  place(at: StreamPosition): Placement {
    const { state } = this;
    if (state.phase === 'ended') return 'known';
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

  /** @param head the channel's position; publications up to there may be missing. @returns whether to read history */
  lacks(head: StreamPosition): boolean {
    const { state } = this;
    if (state.phase === 'live') return state.position.epoch !== head.epoch || state.position.offset < head.offset;
    // `head` is not a publication that this connection received, so it never becomes `first`.
    if (state.phase !== 'ended' && isNewer(head, state.newest)) state.newest = head;
    return false;
  }

  /**
   * Begins a recovery, which replaces an earlier one.
   * @param head the channel's position at some time since this subscription began
   * @param since the client's position; without it the subscription goes on from its own
   */
  start(head: StreamPosition, since?: StreamPosition): Start {
    const { state } = this;
    if (state.phase === 'ended') throw new TypeError(`the subscription to ${this.channel} has ended`);
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

  /** Begins a recovery from the subscription's own position. @returns `undefined` unless the subscription is live */
  catchUp(): Recovering | undefined {
    return this.state.phase === 'live' ? this.begin(this.state.position, false) : undefined;
  }

  isReading(recovering: Recovering): boolean {
    return this.state === recovering;
  }

  /** The recovery has sent everything that was noted. */
  goLive({ position }: Recovering): void {
    this.state = { phase: 'live', position };
  }

  /** Sends the frames of a recovery: `afterReply`, or from now on. They replace those of an earlier recovery. */
  follow(source: FrameSource, afterReply: boolean): void {
    const name = recoveryOf(this.channel);
    if (afterReply) this.connection.followReplyWith(name, source);
    else this.connection.follow(name, source);
  }

  /** Leaves the channel. Resolves when the engine knows; a failure is logged, not thrown. */
  async end(): Promise<void> {
    if (this.state.phase === 'ended') return;
    this.state = { phase: 'ended' };
    this.connection.unfollow(recoveryOf(this.channel));
    await this.onEnd(this);
  }

  /** Leaves the channel because the right to it has ended, and informs the client. */
  async revoke(reason: SubscriptionEnded['reason'] = 'forbidden'): Promise<void> {
    if (this.state.phase === 'ended') return;
    const ending = this.end();
    const message: SubscriptionEnded = { type: 'unsubscribed', channel: this.channel, reason };
    this.connection.send(new OutboundFrame(message));
    await ending;
  }

  private begin(position: StreamPosition, announce: boolean, newest?: StreamPosition): Recovering {
    const recovering: Recovering = { phase: 'recovering', position, announce, ...(newest && { newest }) };
    this.state = recovering;
    return recovering;
  }
}

const isNewer = (at: StreamPosition, newest: StreamPosition | undefined): boolean =>
  newest?.epoch !== at.epoch || newest.offset < at.offset;

/** The name of the source that recovers a channel. */
const recoveryOf = (channel: string): string => `recovery ${channel}`;

/** @returns `undefined` if the epochs differ: only history says which position is newer */
function laterOf(head: StreamPosition, other: StreamPosition | undefined): StreamPosition | undefined {
  if (!other) return head;
  if (other.epoch !== head.epoch) return undefined;
  return other.offset > head.offset ? other : head;
}
