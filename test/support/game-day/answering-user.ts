/**
 * A user's device that comes back by itself, answers prompts and acknowledges messages, and records what the service has
 * accepted. An answer without a reply is repeated with the same contents.
 */
import { FlakyClient } from '../bad-network-client.js';
import type { Frame } from '../client.js';

/** Error codes after which the same answer is given again. */
const AGAIN = new Set(['UNAVAILABLE', 'BUSY', 'RATE_LIMITED']);
const AGAIN_AFTER_MS = 500;

/** The answer to the prompt of a step. The one who asked knows it as well. */
export const answerOf = (step: number): { proceed: boolean; feedback: string } => ({
  proceed: step % 2 === 0,
  feedback: `to ${step}`,
});

export class AnsweringUser {
  readonly client: FlakyClient;
  /** Steps by `callback_id`: the answers that the service has accepted. */
  readonly accepted = new Map<string, number>();
  readonly messageIds = new Set<string>();
  isAnswering = true;
  private readonly given = new Map<string, number>();

  constructor(
    readonly id: string,
    wsUrl: () => string,
  ) {
    this.client = new FlakyClient({
      url: wsUrl,
      channels: { [`user:${id}`]: { user_id: id } },
      pauseMs: () => 200 + Math.random() * 300,
    });
    this.client.events.on('frame', (frame: Frame) => this.take(frame));
    this.client.events.on('ready', () => {
      for (const callbackId of this.given.keys()) this.answer(callbackId);
    });
  }

  private take(frame: Frame): void {
    // Before it names its user, a connection in open mode is shown every user's messages.
    if ((frame['user_id'] ?? frame['target_user_id'] ?? this.id) !== this.id) return;
    const callbackId = String(frame['callback_id']);
    if (frame.type === 'task_step_result') {
      if (!this.isAnswering || this.given.has(callbackId)) return;
      this.given.set(callbackId, Number(frame['step']));
      this.answer(callbackId);
    } else if (frame.type === 'confirmation_accepted') {
      const step = this.given.get(callbackId);
      if (step !== undefined) this.accepted.set(callbackId, step);
      this.given.delete(callbackId);
    } else if (frame.type === 'error' && AGAIN.has(String(frame['code']))) {
      setTimeout(() => this.answer(callbackId), AGAIN_AFTER_MS).unref();
    } else if (frame.type === 'error') {
      this.given.delete(callbackId);
    } else if (frame['requires_ack'] === true) {
      const messageId = String(frame['message_id']);
      this.messageIds.add(messageId);
      this.client.send({ action: 'ack', message_id: messageId });
    }
  }

  /** Without a connection, the next one gives the answer. */
  private answer(callbackId: string): void {
    const step = this.given.get(callbackId);
    if (step === undefined || !this.client.isReady) return;
    this.client.send({ action: 'confirm', callback_id: callbackId, ...answerOf(step) });
  }
}
