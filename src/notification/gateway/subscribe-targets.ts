/** The channels that a `subscribe` or `unsubscribe` frame names: one, a user and a task, or several. */
import { channelOfTask, channelOfUser, parseChannel, type Channel } from '../../protocol/channels.js';
import type { FieldErrors } from '../../protocol/messages.js';
import { InvalidMessageError } from '../notification.errors.js';
import type { Target } from '../subscription/subscriptions.js';
import type { SubscribeDto } from './dto/subscribe.dto.js';

const ONE_OF = ['user_id', 'task_id', 'channel', 'channels'] as const;

/**
 * @returns the targets in the frame's order: no channel twice, and one user at most
 * @throws InvalidMessageError
 */
export function targetsOf(frame: SubscribeDto): Target[] {
  const given = ONE_OF.filter((name) => frame[name] != null);
  const since = frame.recover ?? undefined;
  if (frame.user_id != null && frame.task_id != null && given.length === 2) {
    if (since) throw faulty({ recover: 'belongs to one channel: give user and task in channels' });
    return [{ channel: channelOfUser(frame.user_id) }, { channel: channelOfTask(frame.task_id) }];
  }
  if (given.length !== 1)
    throw faulty({ user_id: 'exactly one of user_id, task_id (or both of these), channel and channels must be given' });
  if (frame.user_id != null) return [{ channel: channelOfUser(frame.user_id), since }];
  if (frame.task_id != null) return [{ channel: channelOfTask(frame.task_id), since }];
  if (frame.channel != null) return [{ channel: channelNamed(frame.channel, 'channel'), since }];
  if (since) throw faulty({ recover: 'belongs to each of channels' });
  const channels = frame.channels ?? [];
  if (new Set(channels.map(({ channel }) => channel)).size < channels.length)
    throw faulty({ channels: 'must not name a channel twice' });
  const wanted = channels.map(({ channel, recover }, index) => ({
    channel: channelNamed(channel, `channels.${index}.channel`),
    since: recover ?? undefined,
  }));
  if (wanted.filter(({ channel }) => channel.kind === 'user').length > 1)
    throw faulty({ channels: 'must not name two users: a connection is one' });
  return wanted;
}

/** A channel's name may be that of a user's or a task's channel. */
function channelNamed(name: string, field: string): Channel {
  const channel = parseChannel(name);
  if ((channel.kind === 'user' && channel.userId === '') || (channel.kind === 'task' && channel.taskId === ''))
    throw faulty({ [field]: 'must name somebody' });
  return channel;
}

const faulty = (fields: FieldErrors): InvalidMessageError => new InvalidMessageError(fields);
