/**
 * What a user is being asked now, as a store: an ordered list that changes as prompts arrive and are decided.
 *
 *  1. A snapshot never changes; a change makes a new one. React, Svelte and RxJS can subscribe to it as it is.
 *  2. A prompt leaves the list when it is decided, by whichever device or door, and does not return.
 *  3. An answer is delivered once the server can be reached, and its promise settles with the truth: it resolves when
 *     this answer counts, and rejects with `AlreadyResolvedError` when another decision does.
 */
import type { JsonObject } from '../protocol/confirmation.js';
import type { TaskStepResult } from '../protocol/messages.js';
import type { ServerClock } from './clock.js';
import { AlreadyResolvedError } from './errors.js';
import { Listeners } from './listeners.js';
import { LONGEST_MS } from './platform.js';
import { remember } from './remember.js';
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
  /** Replaces the `proposal` of an editable prompt. */
  edited?: unknown;
}

export type ConfirmationHandler = (confirmation: OpenConfirmation) => GivenAnswer | undefined | Promise<GivenAnswer | undefined>;

type Snapshot = readonly OpenConfirmation[];

interface Lists {
  shown: OpenConfirmation[];
  dismissed: OpenConfirmation[];
}

/** The part of its time after which a confirmation expires soon, as the server warns. */
const EXPIRING_SHARE = 0.8;

/** What RxJS and others look for in an Observable of another library. */
const OBSERVABLE = (Symbol as { observable?: symbol }).observable ?? '@@observable';

/** What an application does with confirmations: `client.confirmations`. */
export type Confirmations = Pick<
  ConfirmationStore,
  'subscribe' | 'getSnapshot' | 'getDismissed' | 'answer' | 'dismiss' | 'seen' | 'onConfirmation' | typeof Symbol.asyncIterator
>;

export class ConfirmationStore {
  private readonly open = new Map<string, OpenConfirmation>();
  private readonly decided = new Map<string, true>();
  private readonly listeners: Listeners<[]>;
  private readonly handlers: Listeners<[OpenConfirmation]>;
  /** Ids whose `dismiss` the server has not answered yet. */
  private readonly dismissing = new Set<string>();
  /** What was open when `pending` was asked for. */
  private judged: string[] = [];
  /** `undefined` from a change until they are read. */
  private lists: Lists | undefined = { shown: [], dismissed: [] };
  private isClosed = false;
  /** For the end of the next dismissal. */
  private timer: ReturnType<typeof setTimeout> | undefined;
  private publication: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly requests: Requests,
    private readonly clock: ServerClock,
    report: (error: unknown) => void,
  ) {
    this.listeners = new Listeners(report);
    this.handlers = new Listeners(report);
    Object.assign(this, { [OBSERVABLE]: () => this.observable() });
  }

  /** Calls `listener` after changes, once for all that come together. @returns stops it */
  subscribe = (listener: () => void): (() => void) => this.listeners.add(listener);

  /** The open confirmations that are not dismissed, oldest first; the same array until something changes. */
  getSnapshot = (): Snapshot => (this.lists ??= this.split()).shown;

  /** The open confirmations that are dismissed for now. What is in neither list is decided. */
  getDismissed = (): Snapshot => (this.lists ??= this.split()).dismissed;

  /** Every snapshot from now on, the present one first, until the client is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Snapshot> {
    let onChange: () => void = () => undefined;
    const stop = this.subscribe(() => onChange());
    try {
      for (let last: Snapshot | undefined; !this.isClosed;) {
        if (last !== this.getSnapshot()) yield (last = this.getSnapshot());
        else await new Promise<void>((resolve) => (onChange = resolve));
      }
    } finally {
      stop();
    }
  }

  /**
   * Answers. Works offline: the answer is delivered when the server can be reached again.
   * @throws AlreadyResolvedError with the decision that counts; ServerError (`INVALID_ANSWER` names the fields, and the
   *   confirmation stays open); RequestTooLargeError; ClientClosedError; TypeError for what JSON cannot hold
   * @example
   * await client.confirmations.answer(confirmation.callback_id, { proceed: true, feedback: 'Go ahead' });
   */
  async answer(callbackId: string, answer: GivenAnswer): Promise<void> {
    const { digest } = this.open.get(callbackId) ?? {};
    this.change(callbackId, { answering: true });
    try {
      await this.requests.lasting({ action: 'confirm', callback_id: callbackId, digest, ...answer });
    } catch (error) {
      this.change(callbackId, { answering: false });
      if (error instanceof AlreadyResolvedError) this.remove(callbackId);
      throw error;
    }
    this.remove(callbackId);
  }

  /**
   * Hides a confirmation on this user's devices and decides nothing. It returns at `until`, and in any case when it expires
   * soon.
   * @param until Unix milliseconds; at least a minute from now
   * @throws ServerError, ClientClosedError
   */
  async dismiss(callbackId: string, until?: number): Promise<void> {
    const dismissedUntil = until === undefined ? Infinity : until / 1000;
    this.dismissing.add(callbackId);
    this.change(callbackId, { dismissed_until: dismissedUntil });
    let now: number | undefined;
    try {
      const reply = await this.requests.lasting({ action: 'dismiss', callback_id: callbackId, until: until && dismissedUntil });
      now = reply['dismissed_until'] as number;
    } finally {
      this.dismissing.delete(callbackId);
      this.change(callbackId, { dismissed_until: now });
    }
  }

  /** Says that this device has shown the confirmation. @throws ServerError, ClientClosedError */
  async seen(callbackId: string): Promise<void> {
    await this.requests.lasting({ action: 'seen', callback_id: callbackId });
  }

  /** Lets a program answer: called once for each confirmation, including those that are open already. @returns stops it */
  onConfirmation(handler: ConfirmationHandler): () => void {
    const handle = async (confirmation: OpenConfirmation): Promise<void> => {
      const answer = await handler(confirmation);
      if (answer && !this.isClosed) await this.answer(confirmation.callback_id, answer);
    };
    return this.handlers.add(
      handle,
      [...this.open.values()].map((one) => [one]),
    );
  }

  /** A prompt has arrived, perhaps not for the first time: the server knows best, but for what is under way here. */
  onShown({ type: _type, redelivered: _redelivered, ...shown }: TaskStepResult): void {
    const { callback_id: callbackId, timestamp, expires_at: expiresAt } = shown;
    if (this.decided.has(callbackId)) return;
    const known = this.open.get(callbackId);
    const isLate = expiresAt !== null && this.now() > timestamp + (expiresAt - timestamp) * EXPIRING_SHARE;
    const confirmation = { ...shown, expiring: isLate || (known?.expiring ?? false), answering: known?.answering ?? false };
    if (this.dismissing.has(callbackId)) confirmation.dismissed_until = known?.dismissed_until;
    this.open.set(callbackId, confirmation);
    this.publish();
    if (!known) void this.handlers.call(confirmation);
  }

  /** Another device of the user, or this one, has dismissed it. */
  onDismissed(callbackId: string, until: number): void {
    this.change(callbackId, { dismissed_until: until });
  }

  onExpiring(callbackId: string): void {
    this.change(callbackId, { expiring: true, dismissed_until: undefined });
  }

  /** Takes a decided confirmation away. */
  remove(callbackId: string): void {
    remember(this.decided, callbackId, true);
    if (this.open.delete(callbackId)) this.publish();
  }

  /** What is open is about to be asked for. */
  beforeRetain(): void {
    this.judged = [...this.open.keys()];
  }

  /** The server has named all that is open: what was here before and is not named was decided meanwhile. */
  retain(callbackIds: readonly string[]): void {
    const still = new Set(callbackIds);
    for (const callbackId of this.judged) if (!still.has(callbackId)) this.open.delete(callbackId);
    this.publish();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    void this.listeners.call();
  }

  private change(callbackId: string, change: Partial<OpenConfirmation>): void {
    const confirmation = this.open.get(callbackId);
    if (!confirmation) return;
    this.open.set(callbackId, { ...confirmation, ...change });
    this.publish();
  }

  /** A burst of changes calls the listeners once: each call may cost as much as the list is long. */
  private publish = (): void => {
    this.lists = undefined;
    this.publication ??= setTimeout(() => {
      this.publication = undefined;
      this.lists ??= this.split();
      void this.listeners.call();
    });
  };

  private split(): Lists {
    clearTimeout(this.timer);
    const lists: Lists = { shown: [], dismissed: [] };
    const now = this.now();
    let next = Infinity;
    for (const one of this.open.values()) {
      const { dismissed_until: until = 0 } = one;
      (until > now ? lists.dismissed : lists.shown).push(one);
      if (until > now && until < next) next = until;
    }
    for (const list of [lists.shown, lists.dismissed]) list.sort((one, other) => one.timestamp - other.timestamp);
    const nextMs = (next - now) * 1000;
    if (nextMs < LONGEST_MS && !this.isClosed) this.timer = setTimeout(this.publish, nextMs + 1);
    return lists;
  }

  /** Unix seconds, by the server's clock. */
  private now(): number {
    return this.clock.now() / 1000;
  }

  private observable(): object {
    return {
      subscribe: (observer: { next?: (snapshot: Snapshot) => void } | ((snapshot: Snapshot) => void)) => {
        const next = (): void =>
          (typeof observer === 'function' ? observer : observer.next?.bind(observer))?.(this.getSnapshot());
        const unsubscribe = this.subscribe(next);
        next();
        return { unsubscribe };
      },
    };
  }
}
