/** What a frame of the server is, and whom it concerns. */

/** Any message of the server: a reply, a prompt, a publication. */
export interface ServerMessage {
  type: string;
  request_id?: unknown;
  [field: string]: unknown;
}

/** Types that only the product sends, besides replies. They are never repeated by recovery. */
const CONTROL = /^(confirmation_.*|error|unsubscribed|recovered|task_step_result|task_cancelled)$/;

export const isControl = ({ type }: ServerMessage): boolean => CONTROL.test(type);

/** The channels whose listeners a frame concerns. Progress, heartbeats and cancellations name only their task. */
export function channelsOf(frame: ServerMessage): string[] {
  const { type, channel, task_id: taskId, target_user_id: userId } = frame;
  if (isControl(frame) && type !== 'task_cancelled') return [];
  if (typeof channel === 'string' && !/^(user|task):/.test(channel)) return [channel];
  const names = [
    typeof userId === 'string' ? `user:${userId}` : channel,
    typeof taskId === 'string' ? `task:${taskId}` : channel,
  ].filter((name) => typeof name === 'string');
  return names.length > 0 ? [...new Set(names)] : ['broadcast'];
}
