/**
 * A user's device that comes back by itself, recovers, answers every question and acknowledges every message. An answer
 * whose reply did not come is given again with the same contents, by the next connection.
 */
import { FlakyClient } from './bad-network-client.js';
import type { Frame } from './client.js';

/** Replies after which the same answer is given again. */
const AGAIN = new Set(['UNAVAILABLE', 'BUSY']);
const AGAIN_AFTER_MS = 200;

/** What the user says to question `n`: the back-end knows it, too. */
export const answerTo = (n: number): { proceed: boolean; feedback: string } => ({ proceed: n % 2 === 0, feedback: `to ${n}` });

export class RollingUser {
  readonly client: FlakyClient;
  readonly acknowledged = new Set<number>();
  readonly counts = { answers: 0, repeatedAnswers: 0, acceptedAnswers: 0 };
  /** Errors with which answers ended. */
  readonly refusedAnswers: Frame[] = [];
  private readonly answers = new Map<string, object>();
  private cameBack = false;

  constructor(
    readonly id: string,
    url: string,
  ) {
    this.client = new FlakyClient({
      url: () => `${url}/ws`,
      channels: { [`user:${id}`]: { user_id: id }, broadcast: { channel: 'broadcast' } },
      pauseMs: () => 50 + Math.random() * 450,
      handshakeTimeoutMs: 30_000,
    });
    this.client.events.on('frame', (frame: Frame) => this.take(frame));
    this.client.events.on('closed', () => (this.cameBack = true));
    this.client.events.on('ready', () => this.repeat());
  }

  /** Answers that were given and have no reply. */
  get openAnswers(): number {
    return this.answers.size;
  }

  /** The numbers that have come on a channel, each once. */
  received(channel: string): Set<number> {
    const own = this.client.messages.filter((message) => message.channel === channel);
    return new Set(own.map(({ frame }) => Number(frame['n'])));
  }

  private take(frame: Frame): void {
    const callbackId = String(frame['callback_id']);
    // Before it says who it is, a connection in open mode is shown everybody's.
    if ((frame['user_id'] ?? frame['target_user_id'] ?? this.id) !== this.id) return;
    if (frame.type === 'task_step_result') {
      if (this.answers.has(callbackId)) return; // shown again: the answer is under way
      const answer = { action: 'confirm', callback_id: callbackId, ...answerTo(Number(frame['step'])) };
      this.answers.set(callbackId, answer);
      this.counts.answers += 1;
      this.client.send(answer);
    } else if (frame.type === 'confirmation_accepted') {
      if (this.answers.delete(callbackId)) this.counts.acceptedAnswers += 1;
    } else if (frame.type === 'error') this.refused(frame, callbackId);
    else if (frame['requires_ack'] === true) {
      this.acknowledged.add(Number(frame['n']));
      this.client.send({ action: 'ack', message_id: frame['message_id'] });
    }
  }

  private refused(frame: Frame, callbackId: string): void {
    if (AGAIN.has(String(frame['code']))) {
      setTimeout(() => this.again(callbackId), AGAIN_AFTER_MS);
      return;
    }
    this.refusedAnswers.push(frame);
    this.answers.delete(callbackId);
  }

  private repeat(): void {
    if (!this.cameBack) return;
    this.cameBack = false;
    for (const callbackId of this.answers.keys()) this.again(callbackId);
  }

  private again(callbackId: string): void {
    const answer = this.answers.get(callbackId);
    if (!answer || !this.client.isReady) return; // the next connection gives it
    this.counts.repeatedAnswers += 1;
    this.client.send(answer);
  }
}
