/**
 * What several tabs do over one connection, as the tab that holds it sees it.
 *
 *  1. A reply goes to the tab that asked: its name stands before the request's id.
 *  2. A channel is left when its last tab leaves it, or is gone.
 *  3. Recovery begins at the earliest position of the tabs that recover at the same time. Tabs drop what they have.
 *  4. The server shows an answer's effect to every connection but the one that answered: here, to every other tab.
 */
import type { StreamPosition } from '../protocol/messages.js';
import type { ServerMessage } from './frames.js';

interface UpFrame {
  action: string;
  request_id?: unknown;
  channel?: string;
  channels?: { channel: string; recover?: StreamPosition }[];
  proceed?: boolean;
  choice?: string;
}

/** A frame for one tab, or with `except` for all tabs but one; without both for all. */
export interface Delivery {
  to?: string;
  except?: string;
  text: string;
}

export class TabHub {
  /** The tab that has sent the largest frame: that one is too large, if any is. */
  largest = '';
  private largestSize = 0;
  private readonly tabs = new Map<string, Set<string>>();
  private readonly recovering = new Map<string, StreamPosition>();
  /** Answers under way, by the request's id on the connection. */
  private readonly answers = new Map<string, UpFrame>();

  /**
   * @param toServer sends to the connection
   * @param toTabs gives to the tabs that this is for
   */
  constructor(
    private readonly toServer: (text: string) => void,
    private readonly toTabs: (delivery: Delivery) => void,
  ) {}

  onTab(tab: string, text: string): void {
    const frame = JSON.parse(text) as UpFrame;
    const size = new TextEncoder().encode(text).length;
    if (size > this.largestSize) [this.largest, this.largestSize] = [tab, size];
    for (const named of frame.channels ?? []) {
      const { channel, recover } = named;
      this.tabs.set(channel, (this.tabs.get(channel) ?? new Set()).add(tab));
      if (recover) named.recover = this.recover(channel, recover);
    }
    if (frame.action === 'unsubscribe' && frame.channel !== undefined) {
      const tabs = this.tabs.get(frame.channel);
      tabs?.delete(tab);
      const reply = { type: 'unsubscribed', channel: frame.channel, request_id: frame.request_id };
      if (tabs && tabs.size > 0) return this.toTabs({ to: tab, text: JSON.stringify(reply) });
    }
    const id = `${tab}:${String(frame.request_id)}`;
    if (frame.action === 'confirm') this.answers.set(id, frame);
    this.toServer(JSON.stringify({ ...frame, request_id: id }));
  }

  /** A tab is gone. */
  onBye(tab: string): void {
    for (const [channel, tabs] of this.tabs)
      if (tabs.delete(tab) && tabs.size === 0 && channel !== 'broadcast')
        this.toServer(JSON.stringify({ action: 'unsubscribe', channel, request_id: 'bye:0' }));
  }

  onServer(text: string): void {
    const frame = JSON.parse(text) as ServerMessage;
    const [, tab, id] = /^([^:]+):(\d+)$/.exec(String(frame.request_id)) ?? [];
    if (tab !== undefined) return this.onReply(frame, tab, Number(id));
    if (frame.type === 'recovered') this.recovering.delete(String(frame['channel']));
    this.toTabs({ text });
  }

  private onReply(frame: ServerMessage, tab: string, id: number): void {
    this.toTabs({ to: tab, text: JSON.stringify({ ...frame, request_id: id }) });
    const { proceed, choice } = this.answers.get(`${tab}:${id}`) ?? {};
    this.answers.delete(`${tab}:${id}`);
    const { type, callback_id } = frame;
    const effect =
      type === 'confirmation_accepted'
        ? { type: 'confirmation_resolved', callback_id, outcome: 'answered', proceed, choice, via: 'websocket' }
        : type === 'task_cancelled' && { ...frame, request_id: undefined };
    if (effect) this.toTabs({ except: tab, text: JSON.stringify(effect) });
  }

  private recover(channel: string, wanted: StreamPosition): StreamPosition {
    const under = this.recovering.get(channel);
    const from = under?.epoch === wanted.epoch && under.offset < wanted.offset ? under : wanted;
    this.recovering.set(channel, from);
    return from;
  }
}
