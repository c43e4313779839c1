/**
 * The order of recoverable publications on the channels that this node watches. Offsets grow by one, so a hole is seen, and it is
 * filled from history before anything after it is emitted.
 */
import { parseChannel } from '../../../../protocol/channels.js';
import { SingleFlight } from '../../../pacing/single-flight.js';
import type { Publication, StreamPosition } from '../../broker.js';
import type { Emitter } from '../../emitter.js';
import type { ChannelHistory } from '../stores/channel-history.js';
import type { Gaps } from './gaps.js';

const PAGE = 200;

interface Place {
  /** Of the newest publication that was emitted here; `undefined` before the first one is known. */
  position: StreamPosition | undefined;
  /** Emits what is missing after the position. */
  filling: SingleFlight;
}

export class ChannelOrder {
  /** By watched channel. */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly emitter: Pick<Emitter, 'emit' | 'report'>,
    private readonly history: Pick<ChannelHistory, 'after' | 'ownerOf'>,
    private readonly gaps: Pick<Gaps, 'report'>,
  ) {}

  /** Messages on the channel reach this node from now on. */
  watch(channel: string): void {
    const place: Place = { position: undefined, filling: new SingleFlight(() => this.fill(channel, place)) };
    this.places.set(channel, place);
  }

  unwatch(channel: string): void {
    this.places.delete(channel);
  }

  isWatched(channel: string): boolean {
    return this.places.has(channel);
  }

  /** The channel stands at a position that was read. */
  standsAt(channel: string, position: StreamPosition): void {
    const place = this.places.get(channel);
    if (place) place.position ??= position;
  }

  /** Whether a publication is the next of its channel; if so, its position is taken. */
  takesNext(channel: string, position: StreamPosition): boolean {
    const place = this.places.get(channel);
    if (!place) return true;
    const { position: newest, filling } = place;
    if (newest && (filling.isRunning || (newest.epoch === position.epoch && position.offset !== newest.offset + 1))) return false;
    place.position = position;
    return true;
  }

  /** Emits what is missing, up to a position. A reading under way may have begun before that; one that begins now has it. */
  async fillUpTo(channel: string, { epoch, offset }: StreamPosition): Promise<void> {
    const place = this.places.get(channel);
    if (place?.filling.isRunning) {
      await place.filling.join();
      if (place.position?.epoch === epoch && place.position.offset >= offset) return;
    }
    await place?.filling.run();
  }

  /** Emits what was published on watched channels and did not come. */
  async fillAll(): Promise<void> {
    for (const place of [...this.places.values()]) await place.filling.run();
  }

  private async fill(name: string, place: Place): Promise<void> {
    if (!place.position) return;
    const channel = parseChannel(name);
    try {
      for (let since = place.position; ;) {
        const result = await this.history.after({ channel: name, since, limit: PAGE });
        if (!result.complete) {
          place.position = result.head;
          this.emitter.emit((handler) => handler.onMissed(name, result.head));
          return;
        }
        // The publications of a task's channel are also for the user whose task it is now.
        const audienceUserId = await this.history.ownerOf(channel);
        for (const { text, offset } of result.publications) {
          since = { epoch: since.epoch, offset };
          place.position = since;
          const publication: Publication = {
            channel,
            text,
            position: since,
            ...(audienceUserId !== undefined && { audienceUserId }),
          };
          this.emitter.emit((handler) => handler.onPublication(publication));
        }
        if (since.offset >= result.head.offset) return;
      }
    } catch (error) {
      this.emitter.report(`reading what ${name} missed`, error);
      this.gaps.report();
    }
  }
}
