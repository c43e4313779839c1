/** Checks the application's messages and hands them to the engine. */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { BROADCAST, channelOfTask, channelOfUser, parseChannel, type Channel } from '../../protocol/channels.js';
import type { JsonObject } from '../../protocol/confirmation.js';
import { isObject } from '../../protocol/decode.js';
import { isReservedType, RESERVED_FIELDS, type ApplicationMessage } from '../../protocol/messages.js';
import { checkIdentifier } from '../confirmation/prepare-request.js';
import { Broker } from '../engine/broker.js';
import { conflationKey } from '../engine/conflation.js';
import { InvalidMessageError } from '../notification.errors.js';
import { NotificationMetrics } from '../notification.metrics.js';
import { ResolvedOptions } from '../notification.options.js';
import { performance } from '../pacing/time-source.js';
import { Pacing } from '../pacing/pacing.js';
import { activeTrace } from '../tracing/spans.js';
import { toJson } from '../validation/to-json.js';
import { Acknowledgements } from './acknowledgements.js';

/** Options of `sendToUser`. */
export interface SendOptions {
  /** Keep the message until one of the user's devices acknowledges it. @default false */
  requiresAck?: boolean;
  /** How long to wait for the acknowledgement, in milliseconds; needs `requiresAck`. @default no wait */
  ackTimeoutMs?: number;
  /** Ends the wait for the acknowledgement early; the message stays. */
  signal?: AbortSignal;
  /** How long an unacknowledged message is kept, in milliseconds. @default the setting `retentionMs` */
  ttlMs?: number;
}

/** Where a message went. */
export interface MessageDelivery {
  /** Connections reached, over all nodes; an estimate. */
  deliveredTo: number;
  /** With `requiresAck`. */
  messageId?: string;
  /** With `ackTimeoutMs`: whether one of the user's devices acknowledged in time. Absent while the engine cannot say. */
  acknowledged?: boolean;
}

/** Some 31 years. */
const MAX_TTL_MS = 1_000_000_000_000;

@Injectable()
export class Publisher {
  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(ResolvedOptions) private readonly options: Pick<ResolvedOptions, 'retentionMs'>,
    private readonly acknowledgements: Acknowledgements,
    private readonly metrics: NotificationMetrics,
    private readonly pacing: Pacing,
  ) {}

  async toUser(userId: string, given: ApplicationMessage, options: SendOptions): Promise<MessageDelivery> {
    checkIdentifier('userId', userId);
    const message = checkMessage(given);
    checkDurations(options);
    if (options.requiresAck) return this.sendAcknowledged(userId, message, options);
    if (options.ackTimeoutMs !== undefined) throw new InvalidMessageError({ ackTimeoutMs: 'needs requiresAck' });
    return this.publish(channelOfUser(userId), Object.assign({}, message, { target_user_id: userId }));
  }

  async toTask(taskId: string, message: ApplicationMessage): Promise<MessageDelivery> {
    checkIdentifier('taskId', taskId);
    return this.publish(channelOfTask(taskId), withTaskId(checkMessage(message), taskId));
  }

  async toEverybody(message: ApplicationMessage): Promise<MessageDelivery> {
    return this.publish(BROADCAST, checkMessage(message));
  }

  async toChannel(name: string, message: ApplicationMessage): Promise<MessageDelivery> {
    checkIdentifier('channel', name);
    const channel = parseChannel(name);
    switch (channel.kind) {
      case 'user':
        return this.toUser(channel.userId, message, {});
      case 'task':
        return this.toTask(channel.taskId, message);
      case 'broadcast':
      case 'named':
        return this.publish(channel, checkMessage(message));
      default:
        return channel satisfies never;
    }
  }

  private async publish(channel: Channel, message: JsonObject): Promise<MessageDelivery> {
    const began = performance.now();
    const key = conflationKey(channel.name, message);
    const { deliveredTo } = await this.broker.publish({
      channel,
      message,
      recoverable: key === undefined,
      ...(key !== undefined && { conflationKey: key }),
    });
    await this.pacing.writes.turnsTaken(channel.kind !== 'user');
    this.metrics.delivering('message', began, activeTrace());
    return { deliveredTo };
  }

  private async sendAcknowledged(
    userId: string,
    message: JsonObject,
    { ackTimeoutMs, signal, ttlMs = this.options.retentionMs }: SendOptions,
  ): Promise<MessageDelivery> {
    const began = performance.now();
    const messageId = randomUUID();
    const expected = ackTimeoutMs === undefined ? undefined : this.acknowledgements.expect(messageId, userId);
    const stop = (): void => expected?.stop();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    try {
      const request = { messageId, userId, message, ttlMs: Math.ceil(ttlMs) };
      const { deliveredTo } = await this.broker.sendAcknowledged(request);
      // From here on: the message is stored, and may have reached a device.
      const acknowledged = expected?.within(ackTimeoutMs ?? 0);
      await this.pacing.writes.turnsTaken(false);
      this.metrics.delivering('acknowledged', began, activeTrace());
      return { deliveredTo, messageId, acknowledged: await acknowledged };
    } finally {
      signal?.removeEventListener('abort', stop);
      stop();
    }
  }
}

/** @throws InvalidMessageError for what JSON cannot carry, a missing or reserved type, and a reserved field */
function checkMessage(given: unknown): JsonObject {
  const message = toJson(given, 'message');
  if (!isObject(message)) throw new InvalidMessageError({ message: 'must be an object' });
  const { type } = message;
  if (type === undefined) throw new InvalidMessageError({ type: 'is required' });
  if (typeof type !== 'string' || type === '') throw new InvalidMessageError({ type: 'must be a non-empty string' });
  if (isReservedType(type)) throw new InvalidMessageError({ type: `${type} is reserved: only the product sends it` });
  const reserved = RESERVED_FIELDS.find((name) => Object.hasOwn(message, name));
  if (reserved !== undefined) throw new InvalidMessageError({ [reserved]: 'is reserved: the product adds it itself' });
  return message;
}

/** @throws InvalidMessageError for a message that names another task */
function withTaskId(message: JsonObject, taskId: string): JsonObject {
  if (!Object.hasOwn(message, 'task_id')) return Object.assign({}, message, { task_id: taskId });
  if (message['task_id'] === taskId) return message;
  throw new InvalidMessageError({ task_id: 'must be that of the task the message is sent to, or absent' });
}

function checkDurations({ ackTimeoutMs = 0, ttlMs = 1 }: SendOptions): void {
  if (!(ackTimeoutMs >= 0)) throw new InvalidMessageError({ ackTimeoutMs: 'must be 0 or more milliseconds' });
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS))
    throw new InvalidMessageError({ ttlMs: `must be more than 0, at most ${MAX_TTL_MS} milliseconds` });
}
