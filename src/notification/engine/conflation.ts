/** Progress and heartbeats: a slow reader gets only the newest one of each task. */
import type { JsonObject } from '../../protocol/confirmation.js';
import { CONFLATED_TYPES } from '../../protocol/messages.js';

/** The type of the messages of a key. */
export const conflatedType = (key: string): string => key.slice(0, key.indexOf(' '));

/**
 * @returns the key under which a newer message on the channel replaces a waiting one; `undefined` for a message that is never
 *   replaced, and which therefore belongs into the channel's history
 */
export function conflationKey(channel: string, { type, task_id }: JsonObject): string | undefined {
  if (typeof type !== 'string' || !CONFLATED_TYPES.has(type)) return undefined;
  return `${type} ${channel} ${typeof task_id === 'string' ? task_id : JSON.stringify(task_id)}`;
}
