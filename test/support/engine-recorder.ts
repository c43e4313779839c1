/** An engine's handler that keeps the events it gets, in order, and lets a test await them. */
import type { JsonObject } from '../../src/protocol/confirmation.js';
import type {
  AcknowledgedMessage,
  Confirmation,
  EngineHandler,
  Publication,
  StreamPosition,
  Task,
} from '../../src/notification/engine/engine.js';

export type EngineEvent =
  | { kind: 'opened' | 'decided' | 'expiring' | 'dismissed'; confirmation: Confirmation }
  | { kind: 'task'; task: Task }
  | { kind: 'publication'; publication: Omit<Publication, 'channel'> & { channel: string; message: JsonObject } }
  | { kind: 'message'; message: AcknowledgedMessage }
  | { kind: 'acknowledged'; messageId: string; userId: string }
  | { kind: 'revoked' | 'review'; userId: string }
  | { kind: 'evicted'; connectionId: string }
  | { kind: 'lease taken'; taskId: string }
  | { kind: 'gap' | 'lease ended' }
  | { kind: 'missed'; channel: string; head: StreamPosition }
  | { kind: 'webhook events' }
  | { kind: 'dropped'; count: number };

type EventOf<Kind extends EngineEvent['kind']> = EngineEvent & { kind: Kind };

export class EngineRecorder implements EngineHandler {
  readonly events: EngineEvent[] = [];
  /** What `onPublication` and `onAcknowledgedMessage` answer. */
  reached = 1;
  /** The callback ids of decisions for which this node is responsible. */
  readonly responsibleFor: string[] = [];
  private watchers: (() => void)[] = [];

  of<Kind extends EngineEvent['kind']>(kind: Kind): EventOf<Kind>[] {
    return this.events.filter((event): event is EventOf<Kind> => event.kind === kind);
  }

  /** The decisions emitted for one prompt. */
  decisionsOf(callbackId: string): Confirmation[] {
    return this.of('decided').flatMap(({ confirmation }) => (confirmation.callbackId === callbackId ? confirmation : []));
  }

  /** The `count`-th event of a kind, as soon as it is there. */
  async nth<Kind extends EngineEvent['kind']>(kind: Kind, count = 1): Promise<EventOf<Kind>> {
    await this.until(() => this.of(kind).length >= count);
    return this.of(kind)[count - 1]!;
  }

  /** Resolves when a predicate holds; it is asked after every event. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.watchers.push(resolve));
  }

  onOpened(confirmation: Confirmation): void {
    this.record({ kind: 'opened', confirmation });
  }
  onDecided(confirmation: Confirmation, isOurs: boolean): void {
    if (isOurs) this.responsibleFor.push(confirmation.callbackId);
    this.record({ kind: 'decided', confirmation });
  }
  onExpiring(confirmation: Confirmation): void {
    this.record({ kind: 'expiring', confirmation });
  }
  onDismissed(confirmation: Confirmation): void {
    this.record({ kind: 'dismissed', confirmation });
  }
  onMissed(channel: string, head: StreamPosition): void {
    this.record({ kind: 'missed', channel, head });
  }
  onRevoked(userId: string): void {
    this.record({ kind: 'revoked', userId });
  }
  onReview(userId: string): void {
    this.record({ kind: 'review', userId });
  }
  onTask(task: Task): void {
    this.record({ kind: 'task', task });
  }
  onPublication(publication: Publication): number {
    const message = JSON.parse(publication.text) as JsonObject;
    this.record({ kind: 'publication', publication: { ...publication, channel: publication.channel.name, message } });
    return this.reached;
  }
  onAcknowledgedMessage(message: AcknowledgedMessage): number {
    this.record({ kind: 'message', message });
    return this.reached;
  }
  onAcknowledged(messageId: string, userId: string): void {
    this.record({ kind: 'acknowledged', messageId, userId });
  }
  onEvicted(connectionId: string): void {
    this.record({ kind: 'evicted', connectionId });
  }
  onLeaseTaken(taskId: string): void {
    this.record({ kind: 'lease taken', taskId });
  }
  onLeaseEnded(): void {
    this.record({ kind: 'lease ended' });
  }
  onGap(): void {
    this.record({ kind: 'gap' });
  }

  onWebhookEvents(): void {
    this.record({ kind: 'webhook events' });
  }
  async describeNode(): Promise<string> {
    return '{}';
  }

  onWebhookEventsDropped(count: number): void {
    this.record({ kind: 'dropped', count });
  }

  private record(event: EngineEvent): void {
    this.events.push(event);
    for (const wake of this.watchers.splice(0)) wake();
  }
}
