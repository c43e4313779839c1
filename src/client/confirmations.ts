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
import { createListeners } from './listeners.js';
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
export interface Confirmations {
  /** Calls `listener` after changes, once for all that come together. @returns stops it */
  subscribe: (listener: () => void) => () => void;
  /** The open confirmations that are not dismissed, oldest first; the same array until something changes. */
  getSnapshot: () => Snapshot;
  /** The open confirmations that are dismissed for now. What is in neither list is decided. */
  getDismissed: () => Snapshot;
  /**
   * Answers. Works offline: the answer is delivered when the server can be reached again.
   * @throws AlreadyResolvedError with the decision that counts; ServerError (`INVALID_ANSWER` names the fields, and the
   *   confirmation stays open); RequestTooLargeError; ClientClosedError; TypeError for what JSON cannot hold
   * @example
   * await client.confirmations.answer(confirmation.callback_id, { proceed: true, feedback: 'Go ahead' });
   */
  answer(callbackId: string, answer: GivenAnswer): Promise<void>;
  /**
   * Hides a confirmation on this user's devices and decides nothing. It returns at `until`, and in any case when it expires
   * soon.
   * @param until Unix milliseconds; at least a minute from now
   * @throws ServerError, ClientClosedError
   */
  dismiss(callbackId: string, until?: number): Promise<void>;
  /** Says that this device has shown the confirmation. @throws ServerError, ClientClosedError */
  seen(callbackId: string): Promise<void>;
  /** Lets a program answer: called once for each confirmation, including those that are open already. @returns stops it */
  onConfirmation(handler: ConfirmationHandler): () => void;
  /** Every snapshot from now on, the present one first, until the client is closed. */
  [Symbol.asyncIterator](): AsyncGenerator<Snapshot>;
}

/** What the client does with it besides. */
export interface ConfirmationStore extends Confirmations {
  /** A prompt has arrived, perhaps not for the first time: the server knows best, but for what is under way here. */
  onShown(prompt: TaskStepResult): void;
  /** Another device of the user, or this one, has dismissed it. */
  onDismissed(callbackId: string, until: number): void;
  onExpiring(callbackId: string): void;
  /** Takes a decided confirmation away. */
  remove(callbackId: string): void;
  /** What is open is about to be asked for. */
  beforeRetain(): void;
  /** The server has named all that is open: what was here before and is not named was decided meanwhile. */
  retain(callbackIds: readonly string[]): void;
  close(): void;
}

export function createConfirmationStore(
  requests: Requests,
  clock: ServerClock,
  report: (error: unknown) => void,
): ConfirmationStore {
  const open = new Map<string, OpenConfirmation>();
  const decided = new Map<string, true>();
  const listeners = createListeners<[]>(report);
  const handlers = createListeners<[OpenConfirmation]>(report);
  /** Ids whose `dismiss` the server has not answered yet. */
  const dismissing = new Set<string>();
  /** What was open when `pending` was asked for. */
  let judged: string[] = [];
  /** `undefined` from a change until they are read. */
  let lists: Lists | undefined = { shown: [], dismissed: [] };
  let isClosed = false;
  /** For the end of the next dismissal. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let publication: ReturnType<typeof setTimeout> | undefined;

  /** Unix seconds, by the server's clock. */
  const now = (): number => clock.now() / 1000;

  const split = (): Lists => {
    clearTimeout(timer);
    const shown: OpenConfirmation[] = [];
    const dismissed: OpenConfirmation[] = [];
    const splitAt = now();
    let next = Infinity;
    for (const one of open.values()) {
      const { dismissed_until: until = 0 } = one;
      if (until > splitAt) next = Math.min(next, until);
      (until > splitAt ? dismissed : shown).push(one);
    }
    for (const list of [shown, dismissed]) list.sort((one, other) => one.timestamp - other.timestamp);
    const nextMs = (next - splitAt) * 1000;
    if (nextMs < LONGEST_MS && !isClosed) timer = setTimeout(publish, nextMs + 1);
    return { shown, dismissed };
  };

  const read = (): Lists => (lists ??= split());
  const getSnapshot = (): Snapshot => read().shown;

  /** A burst of changes calls the listeners once: each call may cost as much as the list is long. */
  const publish = (): void => {
    lists = undefined;
    publication ??= setTimeout(() => {
      publication = undefined;
      read();
      void listeners.call();
    });
  };

  const change = (callbackId: string, changed: Partial<OpenConfirmation>): void => {
    const confirmation = open.get(callbackId);
    if (!confirmation) return;
    open.set(callbackId, { ...confirmation, ...changed });
    publish();
  };

  const remove = (callbackId: string): void => {
    remember(decided, callbackId, true);
    if (open.delete(callbackId)) publish();
  };

  const subscribe = (listener: () => void): (() => void) => listeners.add(listener);

  const answer = async (callbackId: string, given: GivenAnswer): Promise<void> => {
    const { digest } = open.get(callbackId) ?? {};
    change(callbackId, { answering: true });
    try {
      await requests.lasting({ action: 'confirm', callback_id: callbackId, digest, ...given });
    } catch (error) {
      change(callbackId, { answering: false });
      if (error instanceof AlreadyResolvedError) remove(callbackId);
      throw error;
    }
    remove(callbackId);
  };

  const store: ConfirmationStore = {
    subscribe,
    getSnapshot,
    getDismissed: () => read().dismissed,
    answer,
    async dismiss(callbackId, until) {
      const dismissedUntil = until === undefined ? Infinity : until / 1000;
      dismissing.add(callbackId);
      change(callbackId, { dismissed_until: dismissedUntil });
      let hiddenUntil: number | undefined;
      try {
        const reply = await requests.lasting({ action: 'dismiss', callback_id: callbackId, until: until && dismissedUntil });
        hiddenUntil = reply['dismissed_until'] as number;
      } finally {
        dismissing.delete(callbackId);
        change(callbackId, { dismissed_until: hiddenUntil });
      }
    },
    async seen(callbackId) {
      await requests.lasting({ action: 'seen', callback_id: callbackId });
    },
    onConfirmation(handler) {
      const handle = async (confirmation: OpenConfirmation): Promise<void> => {
        const given = await handler(confirmation);
        if (given && !isClosed) await answer(confirmation.callback_id, given);
      };
      return handlers.add(
        handle,
        [...open.values()].map((one) => [one]),
      );
    },
    async *[Symbol.asyncIterator]() {
      let onChange: () => void = () => undefined;
      const stop = subscribe(() => onChange());
      try {
        for (let last: Snapshot | undefined; !isClosed;) {
          if (last !== getSnapshot()) yield (last = getSnapshot());
          else await new Promise<void>((resolve) => (onChange = resolve));
        }
      } finally {
        stop();
      }
    },
    onShown({ type: _type, redelivered: _redelivered, ...shown }) {
      const { callback_id: callbackId, timestamp, expires_at: expiresAt } = shown;
      if (decided.has(callbackId)) return;
      const known = open.get(callbackId);
      const isLate = expiresAt !== null && now() > timestamp + (expiresAt - timestamp) * EXPIRING_SHARE;
      const confirmation = { ...shown, expiring: isLate || (known?.expiring ?? false), answering: known?.answering ?? false };
      if (dismissing.has(callbackId)) confirmation.dismissed_until = known?.dismissed_until;
      open.set(callbackId, confirmation);
      publish();
      if (!known) void handlers.call(confirmation);
    },
    onDismissed: (callbackId, until) => change(callbackId, { dismissed_until: until }),
    onExpiring: (callbackId) => change(callbackId, { expiring: true, dismissed_until: undefined }),
    remove,
    beforeRetain() {
      judged = [...open.keys()];
    },
    retain(callbackIds) {
      const still = new Set(callbackIds);
      for (const callbackId of judged) if (!still.has(callbackId)) open.delete(callbackId);
      publish();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      void listeners.call();
    },
  };
  const observable = {
    subscribe(observer: { next?: (snapshot: Snapshot) => void } | ((snapshot: Snapshot) => void)) {
      const next = (): void => (typeof observer === 'function' ? observer : observer.next?.bind(observer))?.(getSnapshot());
      const unsubscribe = subscribe(next);
      next();
      return { unsubscribe };
    },
  };
  return Object.assign(store, { [OBSERVABLE]: () => observable });
}
