/**
 * Loads what a channel is about: when it is first subscribed, and after every gap. Meanwhile the channel's messages wait,
 * so that an application applies them to the state that it has just loaded.
 */
import type { ServerMessage } from './frames.js';
import { createListenersByKey } from './listeners.js';

/** More messages than this are not kept: the state is loaded again instead. */
const MOST_HELD = 1000;

export interface Snapshots {
  add(channel: string, hook: (channel: string) => unknown): () => void;
  load(channel: string): Promise<void>;
  /** @returns whether the message waits for its channel's state */
  hold(channel: unknown, frame: ServerMessage): boolean;
}

export function createSnapshots(deliver: (frame: ServerMessage) => void, report: (error: unknown) => void): Snapshots {
  const hooks = createListenersByKey<[string]>(report);
  const heldBy = new Map<unknown, ServerMessage[]>();

  const load = async (channel: string): Promise<void> => {
    const isLoading = heldBy.has(channel);
    const loading = hooks.get(channel);
    if (!loading) return;
    let held: ServerMessage[] = [];
    heldBy.set(channel, held);
    if (isLoading) return; // the load under way begins again
    for (;;) {
      await loading.call(channel);
      const now = heldBy.get(channel) ?? [];
      if (now === held) break;
      held = now;
    }
    heldBy.delete(channel);
    held.forEach(deliver);
  };

  return {
    add: hooks.add,
    load,
    hold(channel, frame) {
      const held = heldBy.get(channel);
      if (!held) return false;
      if (held.push(frame) > MOST_HELD) void load(channel as string);
      return true;
    },
  };
}
