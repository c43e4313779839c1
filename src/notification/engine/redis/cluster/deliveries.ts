/**
 * What comes for the connections of this node: prompts, warnings, publications, acknowledged messages. It comes by
 * pub/sub for what this node watches, by the reply for what this node did itself, and by reading after a gap; told it is
 * once.
 *
 *  1. A publication on a watched channel is told in the order of pub/sub, the publisher's own included (E4).
 *  2. Recoverable publications are numbered: a hole is filled from history before what comes after it is told.
 *  3. A prompt whose decision was told is not shown any more.
 */
import { parseChannel } from '../../../../protocol/channels.js';
import type { JsonObject } from '../../../../protocol/confirmation.js';
import type {
  AcknowledgedMessage,
  Confirmation,
  EngineHandler,
  HistoryResult,
  Publication,
  StreamPosition,
} from '../../engine.js';
import { Recent, RecentOfNodes } from './dedup-window.js';
import { list, maybe, text, toConfirmation, type Reply } from '../reply-decoder.js';
import { delay } from '../../../pacing/time-source.js';

const REMEMBERED = 50_000;
/** Many times as many as publish within the time in which something may come twice. */
const MAX_NODES = 1000;
/** How long pub/sub may be late before a publisher tells its own node by itself. */
const PATIENCE_MS = 40;
const PAGE = 200;

export interface DeliverySource {
  tell<Result>(how: (handler: EngineHandler) => Result): Result | undefined;
  history(channel: string, since: StreamPosition, limit: number): Promise<HistoryResult>;
  /** The user of a task. */
  ownerOf(taskId: string): Promise<string | undefined>;
  onError(what: string, error: unknown): void;
  /** Something was missed and could not be read. */
  onLost(): void;
}

interface Place {
  position: StreamPosition;
  filling: Promise<void> | undefined;
}

export class Deliveries {
  private readonly recent = new Recent<string>(REMEMBERED);
  private readonly publications = new RecentOfNodes(REMEMBERED, MAX_NODES);
  private readonly places = new Map<string, Place>();
  private readonly expected = new Map<string, (reached: number) => void>();

  constructor(
    private readonly source: DeliverySource,
    private readonly isWatched: (channel: string) => boolean,
  ) {}

  /** @param message JSON; a publication's own stands on a line of its own and is passed on unread */
  onMessage(message: string): void {
    const line = message.indexOf('\n');
    const [kind, ...rest] = list(JSON.parse(line < 0 ? message : message.slice(0, line)));
    switch (kind) {
      case 'opened':
        return this.opened(toConfirmation(rest[0]));
      case 'expiring':
        return this.expiring(toConfirmation(rest[0]));
      case 'acknowledged':
        return this.acknowledged(text(rest[0]), text(rest[1]));
      case 'message':
        this.message({
          messageId: text(rest[0]),
          userId: text(rest[1]),
          expiresAt: Number(rest[2]),
          message: rest[3] as JsonObject,
        });
        return;
      case 'publication':
        return this.onPublication(rest, message.slice(line + 1));
      default:
        this.source.onError('reading a message', new Error(`unknown kind ${String(kind)}`));
    }
  }

  opened(confirmation: Confirmation): void {
    if (this.recent.has(`decided ${confirmation.callbackId}`) || !this.recent.add(`opened ${confirmation.callbackId}`)) return;
    this.source.tell((handler) => handler.onOpened(confirmation));
  }

  expiring(confirmation: Confirmation): void {
    if (this.recent.has(`decided ${confirmation.callbackId}`) || !this.recent.add(`expiring ${confirmation.callbackId}`)) return;
    this.source.tell((handler) => handler.onExpiring(confirmation));
  }

  decided(confirmation: Confirmation): void {
    this.recent.add(`decided ${confirmation.callbackId}`);
    this.source.tell((handler) => handler.onDecided(confirmation));
  }

  /** @returns how many of this node's connections it reached, now or before */
  message(message: AcknowledgedMessage): number {
    if (!this.recent.add(`message ${message.messageId}`)) return this.settleExpected(message.messageId, 0);
    const reached = this.source.tell((handler) => handler.onAcknowledgedMessage(message)) ?? 0;
    return this.settleExpected(message.messageId, reached);
  }

  acknowledged(messageId: string, userId: string): void {
    if (!this.recent.add(`acknowledged ${messageId}`)) return;
    this.source.tell((handler) => handler.onAcknowledged(messageId, userId));
  }

  /** To be asked before something of this node's own is published: how many of its connections that will reach. */
  expect(id: string): { reached: Promise<number>; stop(): void } {
    let resolve!: (reached: number) => void;
    const reached = new Promise<number>((settle) => (resolve = settle));
    this.expected.set(id, resolve);
    return { reached, stop: () => void this.expected.delete(id) };
  }

  /** It has been published. Pub/sub brings it, in its order; where it does not, `tell` does. */
  async own(viaPubSub: boolean, reached: Promise<number>, tell: () => void): Promise<number> {
    if (!viaPubSub) tell();
    else if ((await Promise.race([reached, delay(PATIENCE_MS, undefined)])) === undefined) tell();
    return reached;
  }

  private publication(uid: string, publication: Publication): void {
    if (!this.publications.add(uid)) return;
    const reached = this.source.tell((handler) => handler.onPublication(publication)) ?? 0;
    this.settleExpected(uid, reached);
  }

  /** A watched channel stands there. */
  standsAt(channel: string, position: StreamPosition): void {
    if (this.isWatched(channel) && !this.places.has(channel)) this.places.set(channel, { position, filling: undefined });
  }

  forget(channel: string): void {
    this.places.delete(channel);
  }

  /** Tells what was published on watched channels and did not come. */
  async fill(): Promise<void> {
    for (const [channel, place] of this.places) await this.fillPlace(channel, place);
  }

  private onPublication([id, name, epoch, number, owner]: readonly Reply[], body: string): void {
    const [uid, channel, at, offset] = [text(id), text(name), maybe(epoch), maybe(number)];
    const position = at === undefined || offset === undefined ? undefined : { epoch: at, offset: Number(offset) };
    const audienceUserId = maybe(owner);
    const publication: Publication = {
      channel,
      text: body,
      ...(position && { position }),
      ...(audienceUserId !== undefined && { audienceUserId }),
    };
    this.arrived(uid, publication);
  }

  /** A publication of this node's own, or one that pub/sub brought; in either order, and told once. */
  arrived(uid: string, publication: Publication): void {
    const { channel, position } = publication;
    if (position && this.isWatched(channel) && !this.follows(channel, position)) {
      // It comes with what is missing before it, or was told with it.
      const place = this.places.get(channel);
      if (place && !this.publications.has(uid))
        void this.fillUpTo(channel, place, position).then(() => this.settleExpected(uid, 0));
      return;
    }
    this.publication(uid, publication);
  }

  /** Whether a position is the next of its channel; if so it is taken. */
  private follows(channel: string, position: StreamPosition): boolean {
    const place = this.places.get(channel);
    if (!place) {
      this.places.set(channel, { position, filling: undefined });
      return true;
    }
    const next = place.position.epoch !== position.epoch || position.offset === place.position.offset + 1;
    if (place.filling || !next) return false;
    place.position = position;
    return true;
  }

  /** A reading that is under way may have begun before the publication; one that begins now has it. */
  private async fillUpTo(channel: string, place: Place, { epoch, offset }: StreamPosition): Promise<void> {
    if (place.filling) {
      await place.filling;
      if (place.position.epoch === epoch && place.position.offset >= offset) return;
    }
    await this.fillPlace(channel, place);
  }

  private fillPlace(channel: string, place: Place): Promise<void> {
    place.filling ??= this.readInto(channel, place).finally(() => {
      place.filling = undefined;
    });
    return place.filling;
  }

  private async readInto(channel: string, place: Place): Promise<void> {
    try {
      for (;;) {
        const result = await this.source.history(channel, place.position, PAGE);
        if (!result.complete) {
          place.position = result.head;
          this.source.tell((handler) => handler.onMissed(channel, result.head));
          return;
        }
        const owner = await this.ownerOf(channel);
        for (const { message, offset } of result.publications) {
          place.position = { epoch: place.position.epoch, offset };
          const publication = { channel, text: JSON.stringify(message), position: place.position, ...owner };
          this.source.tell((handler) => handler.onPublication(publication));
        }
        if (place.position.offset >= result.head.offset) return;
      }
    } catch (error) {
      this.source.onError(`reading what ${channel} missed`, error);
      this.source.onLost();
    }
  }

  /** A task's publications are also for the user whose it is now. */
  private async ownerOf(channel: string): Promise<Pick<Publication, 'audienceUserId'>> {
    const parsed = parseChannel(channel);
    const audienceUserId = parsed.kind === 'task' ? await this.source.ownerOf(parsed.taskId) : undefined;
    return audienceUserId === undefined ? {} : { audienceUserId };
  }

  private settleExpected(id: string, reached: number): number {
    this.expected.get(id)?.(reached);
    this.expected.delete(id);
    return reached;
  }
}
