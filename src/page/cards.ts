/**
 * What the element shows of each confirmation, beyond what the client keeps of it: drafts, problems, and for a while how it
 * was decided.
 *
 *  1. A card is answered once: while an answer is on its way, a second one is not sent.
 *  2. A card that leaves the client's list stays until it has been read: `LEAVES_AFTER_MS`, or longer (`inbox.ts`). Then it
 *     is one of the `done` ones.
 *  3. The client's lists are read once for each drawing, however many prompts arrive in between.
 */
import {
  AlreadyResolvedError,
  ClientClosedError,
  type GivenAnswer,
  type NotificationClient,
  type OpenConfirmation,
  type ServerError,
} from '../client/index.js';
import type { Outcome } from '../protocol/confirmation.js';
import type { ConfirmationResolved, ConfirmationView, FieldErrors } from '../protocol/messages.js';

export interface Decision {
  /** Absent where this client was not connected when it was decided. */
  outcome?: Outcome;
  proceed?: boolean;
  choice?: string;
  by?: string;
  via?: string;
  feedback?: string;
  values?: unknown;
  edited?: unknown;
  /** Unix milliseconds, where it is known. */
  at?: number;
  isMine: boolean;
}

export interface Card {
  /** Names its elements in the document. */
  key: string;
  asked: OpenConfirmation;
  /** `sure`: asks once more. `past`: is one of those that are done. */
  phase: 'open' | 'sure' | 'sending' | 'decided' | 'refused' | 'past';
  /** What is answered when the user is sure; without it, the task is cancelled. */
  draft?: GivenAnswer;
  /** Named by the button that asks once more. */
  label: string;
  fields: FieldErrors;
  problem: string;
  /** The edited proposal as text; `undefined` while it is not edited. */
  edited?: string;
  decision?: Decision;
  leavesAt: number;
  /** The server knows that a device shows it. */
  isSeen?: boolean;
  isSelected?: boolean;
  /** Hidden for a while, here or on another device. */
  isDismissed?: boolean;
  /** Something has been typed into it. */
  isTyped?: boolean;
}

export const isOver = ({ phase }: Card): boolean => phase === 'decided' || phase === 'refused' || phase === 'past';

export const LEAVES_AFTER_MS = 6000;
/** Decided cards shown among the open ones at most. */
const MOST_DECIDED = 50;
/** Done cards kept at most. */
const MOST_DONE = 200;

export interface CardEvents {
  /** What is wrong with an answer, as far as it can be known here. The service checks it in any case. */
  check(asked: OpenConfirmation, answer: GivenAnswer): FieldErrors;
  onChange(): void;
  onNew(cards: Card[]): void;
  onExpiring(card: Card): void;
  onDecided(card: Card): void;
  onInvalid(card: Card): void;
}

/** A decision as REST and refusals give it. */
export function decisionOf({ state, answered_by: by, answered_at: at, ...rest }: ConfirmationView): Decision {
  const { proceed, choice, via, feedback, values, edited } = rest;
  const outcome = state === 'pending' ? undefined : state;
  return { outcome, proceed, choice, by, via, feedback, values, edited, at: at && at * 1000, isMine: false };
}

export class Cards {
  private readonly cards = new Map<string, Card>();
  private readonly stops: (() => void)[];
  private isStale = true;
  private next = 1;
  /** In the order in which they came, decided ones where they were. */
  list: readonly Card[] = [];
  /** Those that have left the list, the newest first. */
  done: readonly Card[] = [];

  constructor(
    readonly client: NotificationClient,
    private readonly events: CardEvents,
  ) {
    this.stops = [
      client.confirmations.subscribe(() => this.change()),
      client.on('confirmation_resolved', (message) => this.onResolved(message as unknown as ConfirmationResolved)),
    ];
  }

  get openCount(): number {
    return this.list.filter((card) => !isOver(card)).length;
  }

  stop(): void {
    for (const stop of this.stops) stop();
  }

  /** Sends an answer, unless the form is wrong or an answer is on its way. `sure`: the user has been asked once more. */
  async answer(card: Card, given: GivenAnswer, label: string, isSure = false): Promise<void> {
    if (card.phase !== 'open' && !(isSure && card.phase === 'sure')) return;
    const { asked } = card;
    const proceeds = asked.choices?.find(({ id }) => id === given.choice)?.proceed ?? given.proceed ?? false;
    const { values, edited, ...bare } = given;
    const answer: GivenAnswer = {
      ...bare,
      ...(proceeds && asked.input_schema && { values }),
      ...(proceeds && 'edited' in given && { edited }),
    };
    card.fields = proceeds ? { ...this.events.check(asked, answer), ...card.fields } : {};
    card.problem = '';
    if (Object.keys(card.fields).length > 0) {
      this.refuse(card);
      return;
    }
    if (proceeds && asked.risk === 'irreversible' && !isSure) {
      Object.assign(card, { phase: 'sure', draft: answer, label });
      this.events.onChange();
      return;
    }
    card.phase = 'sending';
    this.events.onChange();
    try {
      await this.client.confirmations.answer(asked.callback_id, answer);
      this.decide(card, {
        outcome: 'answered',
        ...answer,
        proceed: proceeds,
        via: 'websocket',
        at: Date.now(),
        isMine: true,
      });
    } catch (error) {
      this.onRefused(card, error as Error);
    }
  }

  /** Hides a card for a while. */
  async dismiss(card: Card, forMs: number): Promise<void> {
    await this.client.confirmations
      .dismiss(card.asked.callback_id, this.now + forMs)
      .catch((error: unknown) => this.onRefused(card, error as Error));
  }

  /** The server's time, in Unix milliseconds. */
  get now(): number {
    const now = Date.now();
    return now - this.client.remainingMs({ expires_at: now / 1000 });
  }

  async cancel(card: Card): Promise<void> {
    card.phase = 'sending';
    this.events.onChange();
    await this.client.cancel(card.asked.task_id).catch((error: unknown) => this.onRefused(card, error as Error));
  }

  /** Moves a card that is over to the done ones. */
  remove(card: Card): void {
    this.cards.delete(card.asked.callback_id);
    card.phase = 'past';
    this.done = [card, ...this.done].slice(0, MOST_DONE);
    this.change();
  }

  /** Follows the client, before each drawing. */
  refresh(): void {
    if (!this.isStale) return;
    this.isStale = false;
    const { confirmations } = this.client;
    const dismissed = new Set(confirmations.getDismissed().map(({ callback_id: id }) => id));
    const open = new Set<string>();
    const fresh: Card[] = [];
    for (const asked of confirmations.getSnapshot()) {
      const { callback_id: id } = asked;
      const card = this.cards.get(id);
      open.add(id);
      if (card?.isDismissed) this.cards.delete(id);
      if (card && asked.expiring && !card.asked.expiring) this.events.onExpiring(card);
      if (card && !card.isDismissed) card.asked = asked;
      else fresh.push(this.add(asked, card));
    }
    for (const [id, card] of this.cards) {
      card.isDismissed = dismissed.has(id) && !isOver(card);
      if (open.has(id) || isOver(card) || card.isDismissed) continue;
      // An answer of this client that is on its way decides, or learns what did.
      if (card.phase !== 'sending' || !card.asked.answering) this.decide(card, { isMine: false });
    }
    this.list = [...this.cards.values()].filter((card) => !card.isDismissed);
    if (fresh.length > 0) this.events.onNew(fresh);
  }

  /** The card is drawn. A decision, or the end of the client, may overtake the report; any other refusal is reported. */
  seen(card: Card): void {
    if (card.isSeen || isOver(card)) return;
    card.isSeen = true;
    this.client.confirmations.seen(card.asked.callback_id).catch((error: unknown) => {
      if (!(error instanceof AlreadyResolvedError || error instanceof ClientClosedError)) this.client.report(error);
    });
  }

  private change(): void {
    this.isStale = true;
    this.events.onChange();
  }

  /** Below the others, also when it was dismissed: nothing above it moves. */
  private add(asked: OpenConfirmation, dismissed?: Card): Card {
    const card: Card = dismissed ?? {
      key: `c${this.next++}`,
      asked,
      phase: 'open',
      label: '',
      fields: {},
      problem: '',
      leavesAt: Infinity,
    };
    card.asked = asked;
    this.cards.set(asked.callback_id, card);
    return card;
  }

  /** Follows the client's own removal of the card, with who decided and how. */
  private onResolved({ callback_id: id, outcome, proceed, choice, answered_by: by, via }: ConfirmationResolved): void {
    const card = this.cards.get(id);
    if (card?.decision?.outcome === undefined && card && card.phase !== 'refused')
      this.decide(card, { outcome, proceed, choice, by, via, at: Date.now(), isMine: false });
  }

  private decide(card: Card, decision: Decision): void {
    Object.assign(card, { phase: 'decided', decision, leavesAt: Date.now() + LEAVES_AFTER_MS });
    const decided = [...this.cards.values()].filter(({ phase }) => phase === 'decided');
    for (const old of decided.slice(0, Math.max(0, decided.length - MOST_DECIDED))) this.cards.delete(old.asked.callback_id);
    if (decision.outcome) this.events.onDecided(card);
    this.change();
  }

  private onRefused(card: Card, error: Error): void {
    const { decision, fields = {} } = error as Partial<ServerError> & { decision?: ConfirmationView };
    if (decision) {
      Object.assign(card, { phase: 'refused', decision: decisionOf(decision), leavesAt: Infinity });
      this.cards.set(card.asked.callback_id, card);
      this.events.onDecided(card);
      return this.change();
    }
    if (isOver(card)) return;
    card.problem = error.message;
    card.fields = { ...fields };
    this.refuse(card);
  }

  private refuse(card: Card): void {
    card.phase = 'open';
    this.events.onInvalid(card);
    this.events.onChange();
  }
}
