/**
 * What a user is being asked right now, as a store: a sorted list that changes as prompts come and are decided.
 *
 *  1. A snapshot never changes; a change makes a new one. React, Svelte and RxJS can subscribe to it as it is.
 *  2. A prompt leaves the list when anybody has decided it, whichever device that was.
 *  3. An answer is delivered once the server is reachable, and its promise settles with the truth: it resolves when this
 *     answer counts, and rejects with `AlreadyResolvedError` when another decision does.
 */
import type { JsonObject } from '../protocol/confirmation.js';
import type { ConfirmationResolved, TaskStepResult } from '../protocol/messages.js';
import { Listeners } from './listeners.js';
import type { Requests } from './requests.js';

export interface OpenConfirmation extends Omit<TaskStepResult, 'type' | 'redelivered'> {
  /** An answer of this client is on its way. */
  answering: boolean;
  /** 80 % of its time has passed. */
  expiring: boolean;
}

/** What a person says. Without `choice`, `proceed` decides; with it, the choice does. */
export interface GivenAnswer {
  proceed?: boolean;
  choice?: string;
  feedback?: string;
  values?: JsonObject;
}

export type ConfirmationHandler = (confirmation: OpenConfirmation) => GivenAnswer | undefined | Promise<GivenAnswer | undefined>;

export class Confirmations {
  private readonly open = new Map<string, OpenConfirmation>();
  private snapshot: readonly OpenConfirmation[] = [];
  private readonly listeners: Listeners<[]>;
  private handler: ConfirmationHandler | undefined;

  constructor(
    private readonly requests: Requests,
    private readonly report: (error: unknown) => void,
  ) {
    this.listeners = new Listeners(report);
  }

  /** Calls `listener` after every change. @returns stops it */
  subscribe = (listener: () => void): (() => void) => this.listeners.add(listener);

  /** The open confirmations, oldest first; the same array until something changes. */
  getSnapshot = (): readonly OpenConfirmation[] => this.snapshot;

  /** Every snapshot from now on, the present one first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly OpenConfirmation[]> {
    let changed: () => void = () => undefined;
    const stop = this.subscribe(() => changed());
    try {
      for (let last: readonly OpenConfirmation[] | undefined; ;) {
        if (last !== this.snapshot) yield (last = this.snapshot);
        else await new Promise<void>((resolve) => (changed = resolve));
      }
    } finally {
      stop();
    }
  }

  /**
   * Answers. Works offline: the answer is delivered when the server is reachable again.
   * @throws AlreadyResolvedError with the decision that counts; ServerError (`INVALID_ANSWER` names the fields: the
   *   confirmation stays open); ClientClosedError
   */
  async answer(callbackId: string, answer: GivenAnswer): Promise<void> {
    const confirmation = this.open.get(callbackId);
    this.change(callbackId, { answering: true });
    const digest = confirmation?.digest;
    try {
      await this.requests.lasting({
        action: 'confirm',
        callback_id: callbackId,
        ...answer,
        ...(digest !== undefined && { digest }),
      });
    } catch (error) {
      this.change(callbackId, { answering: false });
      if ((error as { decision?: unknown }).decision !== undefined) this.remove(callbackId);
      throw error;
    }
    this.remove(callbackId);
  }

  /** Lets a program answer: called once for each confirmation, those that are open already included. */
  onConfirmation(handler: ConfirmationHandler): () => void {
    this.handler = handler;
    for (const confirmation of this.snapshot) void this.handle(confirmation);
    return () => {
      if (this.handler === handler) this.handler = undefined;
    };
  }

  /** A prompt has come, perhaps not for the first time. */
  show({ type: _type, redelivered: _redelivered, ...shown }: TaskStepResult): void {
    if (this.open.has(shown.callback_id)) return;
    const confirmation = { ...shown, answering: false, expiring: false };
    this.open.set(shown.callback_id, confirmation);
    this.publish();
    void this.handle(confirmation);
  }

  resolved({ callback_id: callbackId }: Pick<ConfirmationResolved, 'callback_id'>): void {
    this.remove(callbackId);
  }

  expiring(callbackId: string): void {
    this.change(callbackId, { expiring: true });
  }

  /** The server has named all that is open: whatever else is here was decided meanwhile. */
  retain(callbackIds: readonly string[]): void {
    const still = new Set(callbackIds);
    const gone = [...this.open.keys()].filter((callbackId) => !still.has(callbackId));
    for (const callbackId of gone) this.open.delete(callbackId);
    if (gone.length > 0) this.publish();
  }

  private async handle(confirmation: OpenConfirmation): Promise<void> {
    try {
      const answer = await this.handler?.(confirmation);
      if (answer) await this.answer(confirmation.callback_id, answer);
    } catch (error) {
      this.report(error);
    }
  }

  private change(callbackId: string, change: Partial<OpenConfirmation>): void {
    const confirmation = this.open.get(callbackId);
    if (!confirmation) return;
    this.open.set(callbackId, { ...confirmation, ...change });
    this.publish();
  }

  private remove(callbackId: string): void {
    if (this.open.delete(callbackId)) this.publish();
  }

  private publish(): void {
    this.snapshot = [...this.open.values()].sort((one, other) => one.timestamp - other.timestamp);
    void this.listeners.call();
  }
}
