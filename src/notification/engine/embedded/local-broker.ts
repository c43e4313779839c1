/**
 * Channels of the only node. Publications are emitted in the order of the store's outcomes, or ahead of the store where no
 * earlier call can concern their channel (E4).
 */
import type {
  AcknowledgedMessage,
  AckResult,
  Broker,
  HistoryRequest,
  HistoryResult,
  Publication,
  PublishRequest,
  PublishResult,
  SendAcknowledgedRequest,
  StreamPosition,
} from '../broker.js';
import type { Emitter } from '../emitter.js';
import { checkCursor, type Page } from '../page.js';
import type { Scope } from '../scope.js';
import { ROW_CURSOR, type TaskRow } from './rows.js';
import type { StoreClient } from './store-client.js';

export class LocalBroker implements Broker {
  /** Readings of positions that are under way, by channel. */
  private readonly positions = new Map<string, Promise<StreamPosition>>();

  constructor(
    private readonly client: StoreClient,
    private readonly emitter: Emitter,
    /** Something that waits for a user has changed. */
    private readonly changed: (userId: string) => void,
  ) {}

  async publish({ channel, message, recoverable, conflationKey }: PublishRequest): Promise<PublishResult> {
    const text = JSON.stringify(message);
    let audience: Pick<Publication, 'audienceUserId'> = {};
    const noteOwner = (task: TaskRow | undefined): void => {
      if (task?.user_id) audience = { audienceUserId: task.user_id };
    };
    const emit = (position?: StreamPosition): PublishResult => {
      const at = position && { position };
      if (channel.kind === 'user') this.changed(channel.userId);
      const publication = { channel, text, ...at, ...audience, ...(conflationKey !== undefined && { conflationKey }) };
      const reached = this.emitter.emit((handler) => handler.onPublication(publication));
      return { deliveredTo: reached ?? 0, ...at };
    };
    const owner = channel.kind === 'task' && this.client.call('reachTask', [channel.taskId], noteOwner);
    if (!recoverable) return (await Promise.all([this.client.inTurn(emit), owner]))[0];
    // The audience of a task's channel is known only in its turn.
    const ahead = owner ? undefined : this.client.publishAhead(channel.name, text);
    if (ahead) return emit(ahead);
    const published = this.client.call('publish', [channel.name, text], (position) => {
      this.client.journal.learn(channel.name, position);
      return emit(position);
    });
    return (await Promise.all([published, owner]))[0];
  }

  /**
   * A known head is the position. Otherwise callers share a reading that is under way: thousands ask for `broadcast` when they
   * reconnect. The reading includes what is published before its turn, and later publications are emitted to every caller.
   */
  position(channel: string): Promise<StreamPosition> {
    const { journal } = this.client;
    const head = journal.headOf(channel);
    if (head) return Promise.resolve(head);
    const underWay = this.positions.get(channel);
    if (underWay) return underWay;
    const reading = this.client.call('position', [channel], (position) => {
      this.positions.delete(channel);
      journal.noteHead(channel, position);
      return position;
    });
    this.positions.set(channel, reading);
    reading.catch(() => this.positions.delete(channel));
    return reading;
  }

  history(request: HistoryRequest): Promise<HistoryResult> {
    return this.client.store.history({ ...request, limit: Math.max(1, request.limit) });
  }

  /** Every event reaches the only node. */
  async watch(): Promise<void> {
    this.client.checkOpen();
  }

  async unwatch(): Promise<void> {}

  /** There is no other node. */
  async takeLease(): Promise<number> {
    this.client.checkOpen();
    return 0;
  }

  sendAcknowledged({ messageId, userId, message, ttlMs }: SendAcknowledgedRequest): Promise<PublishResult> {
    return this.client.call('keep', [messageId, userId, JSON.stringify(message), ttlMs], (expiresAt) => {
      if (expiresAt === undefined) return { deliveredTo: 0 };
      this.changed(userId);
      const kept = { messageId, userId, message, expiresAt };
      return { deliveredTo: this.emitter.emit((handler) => handler.onAcknowledgedMessage(kept)) ?? 0 };
    });
  }

  ack(messageId: string, scope: Scope): Promise<AckResult> {
    return this.client.store.ack(messageId, scope);
  }

  isAcknowledged(messageId: string): Promise<boolean> {
    return this.client.store.isAcknowledged(messageId);
  }

  async unacknowledged(userId: string, limit: number, cursor?: string): Promise<Page<AcknowledgedMessage>> {
    checkCursor(cursor, ROW_CURSOR);
    return this.client.store.unacknowledged(userId, limit, cursor);
  }
}
