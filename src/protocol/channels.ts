/** Channel names: `user:<id>`, `task:<id>`, `broadcast`, and the application's own. */

export const BROADCAST_CHANNEL = 'broadcast';

export const userChannel = (userId: string): string => `user:${userId}`;
export const taskChannel = (taskId: string): string => `task:${taskId}`;

export type ParsedChannel =
  { kind: 'user'; userId: string } | { kind: 'task'; taskId: string } | { kind: 'broadcast' } | { kind: 'named'; name: string };

/** What a channel name means. */
export function parseChannel(channel: string): ParsedChannel {
  if (channel === BROADCAST_CHANNEL) return { kind: 'broadcast' };
  if (channel.startsWith('user:')) return { kind: 'user', userId: channel.slice(5) };
  if (channel.startsWith('task:')) return { kind: 'task', taskId: channel.slice(5) };
  return { kind: 'named', name: channel };
}

/** The name of what `parseChannel` has read. */
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
