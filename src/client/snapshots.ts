/**
 * Loads what a channel is about: when it is first subscribed, and after every gap. Meanwhile the channel's messages wait,
 * so that an application applies them to the state that it has just loaded.
 */
import type { ServerMessage } from './frames.js';
import { ListenersByKey } from './listeners.js';

/** More messages than this are not kept: the state is loaded again instead. */
const MOST_HELD = 1000;

export class Snapshots {
  private readonly hooks: ListenersByKey<[string]>;
  private readonly held = new Map<string, ServerMessage[]>();

  constructor(
    private readonly deliver: (frame: ServerMessage) => void,
    report: (error: unknown) => void,
  ) {
    this.hooks = new ListenersByKey(report);
  }

  add(channel: string, hook: (channel: string) => unknown): () => void {
    return this.hooks.add(channel, hook);
  }

  async load(channel: string): Promise<void> {
    const isLoading = this.held.has(channel);
    const hooks = this.hooks.get(channel);
    if (!hooks) return;
    let held: ServerMessage[] = [];
    this.held.set(channel, held);
    if (isLoading) return; // the load under way begins again
    for (;;) {
      await hooks.call(channel);
      const now = this.held.get(channel) ?? [];
      if (now === held) break;
      held = now;
    }
    this.held.delete(channel);
    for (const frame of held) this.deliver(frame);
  }

  /** @returns whether the message waits for its channel's state */
  hold(channel: unknown, frame: ServerMessage): boolean {
    const held = this.held.get(channel as string);
    if (!held) return false;
    held.push(frame);
    if (held.length > MOST_HELD) void this.load(channel as string);
    return true;
  }
}
