/** Channels: `user:<id>`, `task:<id>`, `broadcast`, and the application's own. */

export const BROADCAST_CHANNEL = 'broadcast';

/** The names of a user's and a task's channel. */
export const userChannel = (userId: string): string => `user:${userId}`;
export const taskChannel = (taskId: string): string => `task:${taskId}`;

/** A channel's name with what it means, which is read once and travels with the name. */
export type Channel = { name: string } & (
  { kind: 'user'; userId: string } | { kind: 'task'; taskId: string } | { kind: 'broadcast' } | { kind: 'named' }
);

export const BROADCAST: Channel = { kind: 'broadcast', name: BROADCAST_CHANNEL };
export const channelOfUser = (userId: string): Channel => ({ kind: 'user', name: userChannel(userId), userId });
export const channelOfTask = (taskId: string): Channel => ({ kind: 'task', name: taskChannel(taskId), taskId });

export function parseChannel(name: string): Channel {
  if (name === BROADCAST_CHANNEL) return BROADCAST;
  if (name.startsWith('user:')) return { kind: 'user', name, userId: name.slice(5) };
  if (name.startsWith('task:')) return { kind: 'task', name, taskId: name.slice(5) };
  return { kind: 'named', name };
}
