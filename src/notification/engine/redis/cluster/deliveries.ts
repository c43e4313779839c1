/**
 * What this node's connections receive: confirmations, warnings, publications, acknowledged messages. Pub/sub brings it for the
 * channels that this node watches, a reply brings what this node did itself, and a reading brings what a gap has hidden. It is
 * emitted once.
 *
 *  1. Publications on a watched channel are emitted in the order of pub/sub, the node's own included (E4).
 *  2. A recoverable publication is emitted after all that precede it (`channel-order.ts`).
 *  3. A confirmation whose decision was emitted is not shown any more.
 */
import { parseChannel, type Channel } from '../../../../protocol/channels.js';
import type { JsonObject } from '../../../../protocol/confirmation.js';
import { delay } from '../../../pacing/time-source.js';
import type { AcknowledgedMessage, Publication } from '../../broker.js';
import type { Confirmation, Decided } from '../../confirmation-store.js';
import type { Emitter } from '../../emitter.js';
import { confirmation } from '../records.js';
import { anyList, fields, number, optional, text } from '../reply-decoder.js';
import type { ChannelOrder } from './channel-order.js';
import { DedupWindow, NodeDedupWindow } from './dedup-window.js';

const REMEMBERED = 50_000;
/** Far more nodes than publish within the time in which a publication may come twice. */
const MAX_NODES = 1000;
/** How long a publisher waits for its own publication from pub/sub before it emits it by itself. */
const PATIENCE_MS = 40;

/** The head of a publication, which travels as JSON on a line of its own before the message. */
const readHead = fields({
  kind: text,
  uid: text,
  channel: text,
  epoch: optional(text),
  offset: optional(number),
  audienceUserId: optional(text),
  conflationKey: optional(text),
});

/** Of a publication, what travels before its text. */
type PublicationHead = Partial<Omit<ReturnType<typeof readHead>, 'kind' | 'uid' | 'channel'>>;

const messageOf = fields({
  kind: text,
  messageId: text,
  userId: text,
  expiresAt: number,
  message: (value) => value as JsonObject,
});

export class Deliveries {
  private readonly recent = new DedupWindow<string>(REMEMBERED);
  private readonly publications = new NodeDedupWindow(REMEMBERED, MAX_NODES);
  private readonly expected = new Map<string, (reached: number) => void>();

  constructor(
    private readonly emitter: Pick<Emitter, 'emit' | 'report'>,
    private readonly order: ChannelOrder,
  ) {}

  /** @param message JSON. The text of a publication stands on a line of its own and is passed on unread. */
  onMessage(message: string): void {
    const line = message.indexOf('\n');
    const values = anyList(JSON.parse(line < 0 ? message : message.slice(0, line)));
    switch (values[0]) {
      case 'opened':
        return this.opened(confirmation(values[1]));
      case 'expiring':
        return this.expiring(confirmation(values[1]));
      case 'dismissed':
        return this.dismissed(confirmation(values[1]));
      case 'acknowledged':
        return this.acknowledged(text(values[1]), text(values[2]));
      case 'message': {
        const { kind: _kind, ...kept } = messageOf(values);
        this.message(kept);
        return;
      }
      case 'publication': {
        const { uid, channel, ...head } = readHead(values);
        return this.arrived(uid, publicationOf(parseChannel(channel), message.slice(line + 1), head));
      }
      default:
        this.emitter.report('reading a message', new Error(`unknown kind ${String(values[0])}`));
    }
  }

  opened(opened: Confirmation): void {
    if (this.recent.has(`decided ${opened.callbackId}`) || !this.recent.add(`opened ${opened.callbackId}`)) return;
    this.emitter.emit((handler) => handler.onOpened(opened));
  }

  expiring(expiring: Confirmation): void {
    if (this.recent.has(`decided ${expiring.callbackId}`) || !this.recent.add(`expiring ${expiring.callbackId}`)) return;
    this.emitter.emit((handler) => handler.onExpiring(expiring));
  }

  dismissed(dismissed: Confirmation): void {
    const { callbackId, dismissedUntil } = dismissed;
    if (this.recent.has(`decided ${callbackId}`) || !this.recent.add(`dismissed ${callbackId} ${dismissedUntil}`)) return;
    this.emitter.emit((handler) => handler.onDismissed(dismissed));
  }

  decided(decided: Decided, isOurs: boolean): void {
    this.recent.add(`decided ${decided.callbackId}`);
    this.emitter.emit((handler) => handler.onDecided(decided, isOurs));
  }

  message(message: AcknowledgedMessage): void {
    const { messageId } = message;
    const isOver = this.recent.has(`acknowledged ${messageId}`);
    if (isOver || !this.recent.add(`message ${messageId}`)) return this.resolveExpected(messageId, 0);
    this.resolveExpected(messageId, this.emitter.emit((handler) => handler.onAcknowledgedMessage(message)) ?? 0);
  }

  acknowledged(messageId: string, userId: string): void {
    if (!this.recent.add(`acknowledged ${messageId}`)) return;
    this.emitter.emit((handler) => handler.onAcknowledged(messageId, userId));
  }

  /** Call it before this node publishes something. @returns `reached`: how many of its connections that will reach */
  expect(id: string): { reached: Promise<number>; stop(): void } {
    let resolve!: (reached: number) => void;
    const reached = new Promise<number>((resolveReached) => (resolve = resolveReached));
    this.expected.set(id, resolve);
    return { reached, stop: () => void this.expected.delete(id) };
  }

  /** This node has published something. Pub/sub brings it, in its order; where it does not, `emit` emits it. */
  async own(viaPubSub: boolean, reached: Promise<number>, emit: () => void | Promise<void>): Promise<number> {
    if (!viaPubSub) await emit();
    else if ((await Promise.race([reached, delay(PATIENCE_MS, undefined)])) === undefined) await emit();
    return reached;
  }

  /** A publication of this node's own, or one that pub/sub brought, in either order. It is emitted once. */
  arrived(uid: string, publication: Publication): void {
    const { channel, position } = publication;
    if (position && !this.order.takesNext(channel.name, position)) {
      // It is emitted with what is missing before it, or was emitted already.
      if (!this.publications.has(uid)) void this.order.fillUpTo(channel.name, position).then(() => this.resolveExpected(uid, 0));
      return;
    }
    if (!this.publications.add(uid)) return;
    this.resolveExpected(uid, this.emitter.emit((handler) => handler.onPublication(publication)) ?? 0);
  }

  private resolveExpected(id: string, reached: number): void {
    this.expected.get(id)?.(reached);
    this.expected.delete(id);
  }
}

export function publicationOf(
  channel: Channel,
  body: string,
  { epoch, offset, audienceUserId, conflationKey }: PublicationHead,
): Publication {
  return {
    channel,
    text: body,
    ...(epoch !== undefined && offset !== undefined && { position: { epoch, offset } }),
    ...(audienceUserId !== undefined && { audienceUserId }),
    ...(conflationKey !== undefined && { conflationKey }),
  };
}

/** The head of a publication that was published. */
export function publicationHead(uid: string, { channel, position, audienceUserId, conflationKey }: Publication): string {
  const { head, tail } = publicationEnds(uid, channel.name, conflationKey);
  const place = position ? [position.epoch, String(position.offset)] : [false, false];
  return `${head}${[...place, audienceUserId ?? false].map((value) => JSON.stringify(value)).join(',')}${tail}`;
}

/** The two ends of a publication's head. Between them come position and audience, which Redis knows. */
export function publicationEnds(uid: string, channel: string, conflationKey: string | undefined): { head: string; tail: string } {
  return {
    head: `["publication",${JSON.stringify(uid)},${JSON.stringify(channel)},`,
    tail: `,${JSON.stringify(conflationKey ?? false)}]`,
  };
}
