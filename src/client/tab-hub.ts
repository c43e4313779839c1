/**
 * What several tabs do over one connection, as the tab that holds it sees it.
 *
 *  1. A reply goes to the tab that asked: its name stands before the request's id.
 *  2. A channel is left when its last tab leaves it.
 *  3. Recovery begins at the earliest position of the tabs that recover at the same time. Others drop what they have.
 *  4. The server shows an answer's effect to every connection but the one that answered: here, to every other tab.
 */
import type { StreamPosition } from '../protocol/messages.js';
import type { ServerReply } from './frames.js';

interface UpFrame {
  action: string;
  request_id?: unknown;
  channel?: string;
  channels?: { channel: string; recover?: StreamPosition }[];
}

/** A frame for one tab, or with `except` for all tabs but one; without both for all. */
export interface Delivery {
  to?: string;
  except?: string;
  text: string;
}

export class TabHub {
  private readonly tabs = new Map<string, Set<string>>();
  private readonly recovering = new Map<string, { from: StreamPosition; tabs: Set<string> }>();

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
    for (const named of frame.channels ?? []) {
      const { channel, recover } = named;
      this.tabs.set(channel, (this.tabs.get(channel) ?? new Set()).add(tab));
      if (recover) named.recover = this.recover(channel, recover, tab);
    }
    if (frame.action === 'unsubscribe' && frame.channel !== undefined) {
      const tabs = this.tabs.get(frame.channel);
      tabs?.delete(tab);
      const reply = { type: 'unsubscribed', channel: frame.channel, request_id: frame.request_id };
      if (tabs && tabs.size > 0) return this.toTabs({ to: tab, text: JSON.stringify(reply) });
    }
    this.toServer(JSON.stringify({ ...frame, request_id: `${tab}:${String(frame.request_id)}` }));
  }

  onServer(text: string): void {
    const frame = JSON.parse(text) as ServerReply;
    const [, tab, id] = /^([^:]+):(\d+)$/.exec(String(frame.request_id)) ?? [];
    if (tab !== undefined) return this.onReply(frame, tab, Number(id));
    const recovering = frame.type === 'recovered' ? this.recovering.get(String(frame['channel'])) : undefined;
    if (!recovering) return this.toTabs({ text });
    this.recovering.delete(String(frame['channel']));
    for (const to of recovering.tabs) this.toTabs({ to, text });
  }

  private onReply(frame: ServerReply, tab: string, id: number): void {
    this.toTabs({ to: tab, text: JSON.stringify({ ...frame, request_id: id }) });
    const type = frame.type === 'confirmation_accepted' ? 'confirmation_resolved' : frame.type;
    if (type === 'confirmation_resolved' || type === 'task_cancelled')
      this.toTabs({ except: tab, text: JSON.stringify({ ...frame, type, request_id: undefined }) });
  }

  private recover(channel: string, wanted: StreamPosition, tab: string): StreamPosition {
    const under = this.recovering.get(channel);
    const isSame = under?.from.epoch === wanted.epoch;
    const from = isSame && under.from.offset < wanted.offset ? under.from : wanted;
    this.recovering.set(channel, { from, tabs: (isSame ? under.tabs : new Set<string>()).add(tab) });
    return from;
  }
}
