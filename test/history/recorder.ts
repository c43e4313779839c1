/**
 * What callers, answerers and observers did and got, in one global order: the place in `entries` is the order.
 * The recorder judges nothing; `checker.ts` does, over a record that is complete. Neither knows an engine or a transport.
 *
 * A call is two entries: its beginning, and what it came to (`created`, `ended`, `accepted`, `refused`, `listed`, `looked`
 * or `failed`) under the same number.
 */
import type { ConfirmationView } from '../../src/protocol/messages.js';
import type { JsonObject, OnTimeout, Outcome } from '../../src/protocol/confirmation.js';

/** What an observer knows of a decision. A field is absent if the observer does not learn it, `null` if it has no value. */
export interface Verdict {
  outcome: Outcome;
  proceed: boolean;
  answeredBy?: string | null;
  choice?: string | null;
  feedback?: string | null;
  /** As JSON, names sorted. */
  values?: string | null;
  /** Unix milliseconds. Some observers learn it of answers only. */
  decidedAt?: number;
  /** The door by which it came. */
  via?: string;
}

/** An answer as it counts. */
export interface GivenAnswer {
  proceed: boolean;
  choice: string | null;
  feedback: string | null;
  values: string | null;
}

/** What a question is recognised by in every frame and view: the prompts' `step`. */
export type Question = number;

export type Entry =
  /* nodes */
  | { kind: 'starting' | 'stopped'; node: string; at: number }
  | { kind: 'stopping'; node: string }
  /* the store, where it is not part of a node */
  | { kind: 'away'; at: number }
  /** Every node can use it again; `at`: it was there. `missed`: so long that deadlines which passed meanwhile count as missed. */
  | { kind: 'back'; at: number; missed: boolean }
  /* callers */
  | {
      kind: 'ask';
      call: number;
      node: string;
      question: Question;
      userId: string;
      taskId: string;
      key?: string;
      onTimeout: OnTimeout;
      onTimeoutBy: 'caller' | 'setting';
      /** Absent: it waits for the decision. `false`: `created` is its end. */
      waits?: false;
    }
  /** The prompt is promised to be stored. */
  | { kind: 'created'; call: number; callbackId: string }
  /** The caller has its decision. `thrown`: as a `ConfirmationTimeoutError`, where the caller can tell. */
  | { kind: 'ended'; call: number; callbackId: string; verdict: Verdict; thrown?: boolean }
  /* answerers; `answer: null` is one that must not be accepted */
  | {
      kind: 'answer';
      call: number;
      node: string;
      connection?: number;
      callbackId: string;
      by: string | null;
      answer: GivenAnswer | null;
    }
  | { kind: 'withdraw'; call: number; node: string; callbackId: string }
  /** A caller's signal: it has no reply. */
  | { kind: 'abort'; question: Question }
  | { kind: 'cancel'; call: number; node: string; connection?: number; taskId: string }
  | { kind: 'accepted'; call: number }
  | { kind: 'refused'; call: number; code: string; verdict?: Verdict }
  /** No outcome is known: the error's name, or `connection lost`. */
  | { kind: 'failed'; call: number; error: string }
  /* observers */
  | { kind: 'connect'; connection: number; node: string; userId: string | null }
  /** The client itself goes away: calls of this connection may be lost. */
  | { kind: 'leave'; connection: number }
  /** The service closed it, with a code of PROTOCOL.md; 1006 is a socket that broke. */
  | { kind: 'closed'; connection: number; code: number }
  | { kind: 'shown'; connection: number; callbackId: string; question: Question; expiresAt: number | null }
  | { kind: 'list'; call: number; node: string; connection?: number }
  | { kind: 'listed'; call: number; callbackIds: string[] }
  | { kind: 'read'; call: number; node: string; callbackId: string }
  | {
      kind: 'found';
      call: number;
      state: 'pending' | 'decided' | 'missing';
      question?: Question;
      expiresAt?: number | null;
      verdict?: Verdict;
    }
  /** A decision arrives unasked. */
  | {
      kind: 'observed';
      observer: 'decisions$' | 'connection';
      connection?: number;
      callbackId: string;
      question?: Question;
      verdict: Verdict;
    };

export class Recorder {
  readonly entries: Entry[] = [];
  /** When each entry was recorded, Unix milliseconds. */
  readonly times: number[] = [];
  private calls = 0;
  private connections = 0;

  record(entry: Entry): void {
    this.entries.push(entry);
    this.times.push(Date.now());
  }

  nextCall(): number {
    return ++this.calls;
  }

  nextConnection(): number {
    return ++this.connections;
  }
}

/** How many confirmations a later read found decided. */
export function decidedPrompts(entries: readonly Entry[]): number {
  const looks = new Map<number, string>();
  const decided = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === 'read') looks.set(entry.call, entry.callbackId);
    const callbackId = entry.kind === 'found' && entry.verdict ? looks.get(entry.call) : undefined;
    if (callbackId !== undefined) decided.add(callbackId);
  }
  return decided.size;
}

/** The fields of a decision in every kind of observation, in TypeScript's spelling. */
export interface ObservedDecision {
  outcome: Outcome;
  proceed: boolean;
  answeredBy?: string;
  choice?: string;
  feedback?: string;
  values?: JsonObject;
  answeredAt?: number;
  decidedAt?: number;
  via?: string;
}

/** Of a result or an event, which carry every field. */
export function verdictOf(decision: ObservedDecision): Verdict {
  const { outcome, proceed, answeredBy = null, choice = null, feedback = null, values, via } = decision;
  const decidedAt = decision.decidedAt ?? decision.answeredAt;
  return {
    outcome,
    proceed,
    answeredBy,
    choice,
    feedback,
    values: sortedJson(values),
    ...(decidedAt !== undefined && { decidedAt }),
    ...(via !== undefined && { via }),
  };
}

/** Of a confirmation in REST or in an error; `undefined` while it is pending. */
export function verdictOfView(view: ConfirmationView): Verdict | undefined {
  if (view.state === 'pending') return undefined;
  const { proceed = false, feedback, choice, values, answered_by: answeredBy, answered_at, via } = view;
  return verdictOf({
    outcome: view.state,
    proceed,
    feedback,
    choice,
    values,
    answeredBy,
    answeredAt: answered_at === undefined ? undefined : toMs(answered_at),
    via,
  });
}

/** Of a `confirmation_resolved` message, which carries fewer fields. */
export function verdictOfFrame(frame: Record<string, unknown>): Verdict {
  const { outcome, proceed, answered_by = null, choice = null, via } = frame;
  return {
    outcome: outcome as Outcome,
    proceed: proceed as boolean,
    answeredBy: answered_by as string | null,
    choice: choice as string | null,
    via: via as string,
  };
}

export const toMs = (seconds: number): number => Math.round(seconds * 1000);

/** Forms are flat, so sorting the top is enough. */
export function sortedJson(values: JsonObject | undefined | null): string | null {
  if (values == null) return null;
  return JSON.stringify(Object.fromEntries(Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1))));
}
