/** What `subscribe` and `unsubscribe` name: one target, a user and a task, or several channels in one frame. */
import { LEASE_CHANNEL_PREFIX, parseChannel, RESERVED_CHANNEL, type ParsedChannel } from '../../protocol/channels.js';
import type { FieldErrors, StreamPosition } from '../../protocol/messages.js';
import { InvalidMessageError } from '../notification.errors.js';
import type { SubscribeDto } from './dto/subscribe.dto.js';

export interface Wanted {
  target: ParsedChannel;
  since?: StreamPosition;
}

const ONE_OF = ['user_id', 'task_id', 'channel', 'channels'] as const;

/**
 * In the frame's order; no channel twice, and one user at most.
 * @throws InvalidMessageError
 */
export function wantedBy(frame: SubscribeDto): Wanted[] {
  const given = ONE_OF.filter((name) => frame[name] != null);
  const since = frame.recover ?? undefined;
  if (frame.user_id != null && frame.task_id != null && given.length === 2) {
    if (since) throw faulty({ recover: 'belongs to one channel: give user and task in channels' });
    return [{ target: { kind: 'user', userId: frame.user_id } }, { target: { kind: 'task', taskId: frame.task_id } }];
  }
  if (given.length !== 1)
    throw faulty({ user_id: 'exactly one of user_id, task_id (or both of these), channel and channels must be given' });
  if (frame.user_id != null) return [{ target: { kind: 'user', userId: frame.user_id }, since }];
  if (frame.task_id != null) return [{ target: { kind: 'task', taskId: frame.task_id }, since }];
  if (frame.channel != null) return [{ target: targetOf(frame.channel, 'channel'), since }];
  if (since) throw faulty({ recover: 'belongs to each of channels' });
  const channels = frame.channels ?? [];
  if (new Set(channels.map(({ channel }) => channel)).size < channels.length)
    throw faulty({ channels: 'must not name a channel twice' });
  const wanted = channels.map(({ channel, recover }, index) => ({
    target: targetOf(channel, `channels.${index}.channel`),
    since: recover ?? undefined,
  }));
  if (wanted.filter(({ target }) => target.kind === 'user').length > 1)
    throw faulty({ channels: 'must not name two users: a connection is one' });
  return wanted;
}

/** A channel's name may name a user or a task as well. */
function targetOf(channel: string, field: string): ParsedChannel {
  const target = parseChannel(channel);
  if ((target.kind === 'user' && target.userId === '') || (target.kind === 'task' && target.taskId === ''))
    throw faulty({ [field]: 'must name somebody' });
  if (target.kind === 'named' && target.name.startsWith(LEASE_CHANNEL_PREFIX)) throw faulty({ [field]: RESERVED_CHANNEL });
  return target;
}

const faulty = (fields: FieldErrors): InvalidMessageError => new InvalidMessageError(fields);
