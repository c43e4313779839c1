/** Channels: `user:<id>`, `task:<id>`, `broadcast`, and the application's own. */

export const BROADCAST_CHANNEL = 'broadcast';

/** The names of a user's and a task's channel. */
export const userChannel = (userId: string): string => `user:${userId}`;
export const taskChannel = (taskId: string): string => `task:${taskId}`;

export type ParsedChannel =
  { kind: 'user'; userId: string } | { kind: 'task'; taskId: string } | { kind: 'broadcast' } | { kind: 'named'; name: string };

/** A channel's name with what it means, which is read once and travels with the name. */
export type Channel = ParsedChannel & { name: string };

export const BROADCAST: Channel = { kind: 'broadcast', name: BROADCAST_CHANNEL };
export const channelOfUser = (userId: string): Channel => ({ kind: 'user', name: userChannel(userId), userId });
export const channelOfTask = (taskId: string): Channel => ({ kind: 'task', name: taskChannel(taskId), taskId });

export function parseChannel(name: string): Channel {
  if (name === BROADCAST_CHANNEL) return BROADCAST;
  if (name.startsWith('user:')) return { kind: 'user', name, userId: name.slice(5) };
  if (name.startsWith('task:')) return { kind: 'task', name, taskId: name.slice(5) };
  return { kind: 'named', name };
}

/** The name of a channel that is given by what it means. */
export function channelOf(target: ParsedChannel): string {
  switch (target.kind) {
    case 'user':
      return userChannel(target.userId);
    case 'task':
      return taskChannel(target.taskId);
    case 'broadcast':
      return BROADCAST_CHANNEL;
    case 'named':
      return target.name;
    default:
      return target satisfies never;
  }
}
