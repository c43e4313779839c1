/** What Redis publishes for this node alone. */
import type { Emitter } from '../../emitter.js';
import type { PubSub } from '../connection/pubsub.js';
import { anyList, number, text } from '../reply-decoder.js';
import type { EventStreams } from './event-streams.js';

export interface NodeChannelHandler {
  /** The per-user limit was passed: a connection of this node must close. */
  onEvicted(connectionId: string): void;
  /** Another node waits until this one has read its sockets up to a deadline. */
  onReadingAsked(partition: number, deadline: number): void;
  onProbe(partition: number, number: number): void;
  /** A message as connections receive it. */
  onMessage(message: string): void;
}

export class NodeChannel {
  constructor(
    private readonly pubsub: PubSub,
    private readonly streams: EventStreams,
    private readonly emitter: Pick<Emitter, 'report'>,
    private readonly handler: NodeChannelHandler,
  ) {}

  /** Listens to the events of a partition and to what it publishes for this node. @throws EngineUnavailableError */
  async listen(partition: number, nodeId: string): Promise<void> {
    await Promise.all([
      this.pubsub.subscribeToEvents(partition, (message) => this.guarded(() => this.streams.of(partition).onMessage(message))),
      this.pubsub.subscribeToNode(partition, nodeId, (message) => this.guarded(() => this.onMessage(partition, message))),
    ]);
  }

  private onMessage(partition: number, message: string): void {
    const [kind, subject] = anyList(JSON.parse(message));
    if (kind === 'evicted') this.handler.onEvicted(text(subject));
    else if (kind === 'read') this.handler.onReadingAsked(partition, number(subject));
    else if (kind === 'probe') this.handler.onProbe(partition, number(subject));
    else this.handler.onMessage(message);
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.emitter.report('reading a message of Redis', error);
    }
  }
}
