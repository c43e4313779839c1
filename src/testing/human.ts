/** A person in a test of an application's own questions: is shown what a device shows, and answers, or does not. */
import type { INestApplicationContext } from '@nestjs/common';
import type { GivenAnswer } from '../notification/confirmation/answer.js';
import { NotificationActions } from '../notification/notification.actions.js';
import type { TaskStepResult } from '../protocol/messages.js';
import { Clock } from '../notification/pacing/clock.js';
import { Device, type SentMessage } from './device.js';

/** An answer: `proceed`, or the `choice` that was pressed, and what was filled in. */
export type HumanAnswer = Omit<GivenAnswer, 'digest'>;

/** The audit trail of a test names the code that plays the person. */
const ACTOR = { by: { kind: 'service' }, means: 'websocket' } as const;

export class Human {
  /** Prompts that this person has answered or left. */
  private readonly handled = new Set<string>();
  /** Prompts that this person hides until a time, unless a message after the first `since` ones is their warning. */
  private readonly dismissed = new Map<string, { until: number; since: number }>();

  private constructor(
    readonly userId: string,
    private readonly device: Device,
    private readonly actions: NotificationActions,
    private readonly clock: Clock,
  ) {}

  /**
   * Connects a device of the user, in the same process: no port, no socket. It is shown what is pending, as every device is.
   *
   * @param host a testing module, or an application; it is initialised where it has not been
   * @example
   * const human = await Human.of(moduleRef, 'ann');
   */
  static async of(host: INestApplicationContext, userId: string): Promise<Human> {
    await host.init();
    const find = { strict: false };
    const actions = host.get(NotificationActions, find);
    return new Human(userId, await Device.connect(host, userId), actions, host.get<Clock>(Clock, find));
  }

  /** Everything that the person's device was sent, in order. */
  get messages(): readonly SentMessage[] {
    return this.device.messages;
  }

  /**
   * Waits for the next prompt and answers it.
   *
   * @returns the prompt
   * @throws InvalidAnswerError where the prompt does not allow the answer, AlreadyResolvedError where it came too late,
   *   Error after 2 s without a prompt
   * @example await human.answersNext({ choice: 'go' });
   */
  async answersNext(answer: HumanAnswer): Promise<TaskStepResult> {
    const prompt = await this.next();
    const by = { userId: this.userId, scope: [this.userId] };
    await this.actions.answer(prompt.callback_id, by, { ...answer, digest: prompt.digest }, ACTOR);
    this.handled.add(prompt.callback_id);
    return prompt;
  }

  /** Waits for the next prompt and leaves it unanswered; the one after it is the next then. @returns the prompt */
  async ignores(): Promise<TaskStepResult> {
    const prompt = await this.next();
    this.handled.add(prompt.callback_id);
    return prompt;
  }

  /**
   * Waits for the next prompt and hides it for a while, without deciding it. Then it is among the next prompts again.
   *
   * @param until Unix milliseconds, at least a minute from now by the world's clock. @default the warning before its deadline
   * @returns the prompt
   * @throws InvalidMessageError (`until`), AlreadyResolvedError, Error after 2 s without a prompt
   */
  async dismisses(until?: number): Promise<TaskStepResult> {
    const prompt = await this.next();
    const { callback_id: callbackId } = prompt;
    const { dismissedUntil = 0 } = await this.actions.dismiss(callbackId, [this.userId], until);
    this.dismissed.set(callbackId, { until: dismissedUntil, since: this.messages.length });
    this.clock.after(dismissedUntil - this.clock.now(), () => this.device.reconsider());
    return prompt;
  }

  /** Waits until the person is shown a prompt of the task, or was shown one. @returns the prompt */
  async shown(taskId: string): Promise<TaskStepResult> {
    const matches = (message: SentMessage): boolean => isPrompt(message) && message.task_id === taskId;
    return (await this.device.next(`a prompt of task ${taskId}`, matches)) as unknown as TaskStepResult;
  }

  /** Waits until the person is sent a message of the type, or was sent one. @returns the message */
  receives(type: string): Promise<SentMessage> {
    return this.device.next(`a message of type ${type}`, (message) => message.type === type);
  }

  /** Cancels a task. @throws NotFoundError for a task that is not the user's */
  async cancels(taskId: string, reason?: string): Promise<void> {
    const request = { taskId, scope: [this.userId], cancelledBy: this.userId, reason, allowUnknown: false };
    await this.actions.cancelTask(request, ACTOR);
  }

  /** Disconnects the device. What is asked from now on waits for the next one. */
  leaves(): void {
    this.device.disconnect();
  }

  private async next(): Promise<TaskStepResult> {
    const matches = (message: SentMessage): boolean => isPrompt(message) && this.isOpen(message.callback_id);
    return (await this.device.next('a prompt', matches)) as unknown as TaskStepResult;
  }

  private isOpen(callbackId: string): boolean {
    return !this.handled.has(callbackId) && !this.isDismissed(callbackId) && !this.wasSent('confirmation_resolved', callbackId);
  }

  private isDismissed(callbackId: string): boolean {
    const { until, since } = this.dismissed.get(callbackId) ?? { until: 0, since: 0 };
    return until > this.clock.now() && !this.wasSent('confirmation_expiring', callbackId, since);
  }

  private wasSent(type: string, callbackId: string, since = 0): boolean {
    return this.messages.slice(since).some((message) => message.type === type && message.callback_id === callbackId);
  }
}

function isPrompt(message: SentMessage): message is SentMessage & TaskStepResult {
  return message.type === 'task_step_result';
}
