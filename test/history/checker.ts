/**
 * Checks a record of confirmations: a pure function, the same for every engine, any number of nodes and any transport.
 *
 * It does not judge what it cannot know: a frame that was under way when the decision fell is no violation. A frame on a
 * connection that already knew the decision, or in a call that began after the decision was known, is one.
 */
import type { Entry, GivenAnswer, Question, Verdict } from './recorder.js';

export type Rule =
  /** All observers of a prompt's decision see the same decision. */
  | 'one decision'
  /** What was acknowledged to an answerer, a withdrawer or a canceller is the decision. */
  | 'acknowledged is decided'
  /** What was acknowledged can be read afterwards. */
  | 'nothing is lost'
  /** An observer that knows the decision of a prompt is not shown it as pending. */
  | 'not pending again'
  /** `proceed` has a person's answer, or the caller's own default, behind it. */
  | 'proceed was chosen'
  /** Every other decision has its cause as well, and its time. */
  | 'a decision has a cause'
  /** A key is one prompt; a call without one is a prompt of its own. */
  | 'a key is one prompt'
  /** Every call ends, in a way that was promised. */
  | 'every call ends'
  /** `decisions$` emits every decision. */
  | 'decisions are emitted'
  /** Waiting callers, and connections that were shown the prompt, get its decision soon (`timeliness-checker.ts`). */
  | 'delivered in time'
  /** A connection stays until its client or its node goes (`timeliness-checker.ts`). */
  | 'connections stay';

export interface Violation {
  rule: Rule;
  message: string;
}

export interface CheckOptions {
  /** Codes and errors' names that a call may end with besides those that are right when nothing is broken. */
  tolerated?: readonly string[];
  /** When the entries were recorded. With it, a refusal that took longer than 2 s is excused: the machine was too slow to judge. */
  times?: readonly number[];
  /** Whether new connections may be closed and new subscriptions refused, because the nodes' pub/sub connections are being broken. */
  newcomersMayBeRefused?: boolean;
  /** Whether `decisions$` was recorded from before each start to the end. */
  decisionsRecorded?: boolean;
}

type EntryOf<Kind extends Entry['kind']> = Extract<Entry, { kind: Kind }>;
type Begun = EntryOf<'ask' | 'answer' | 'withdraw' | 'cancel' | 'list' | 'read'>;

interface At<E> {
  at: number;
  entry: E;
}

interface Prompt {
  callbackId: string;
  question?: Question;
  expiresAt?: number | null;
  /** The union of what is known of the decision; `undefined` until an observer knows it. */
  verdict?: Verdict;
  /** Where in the record the decision was first known. */
  knownAt: number;
  /** Connections that know the decision, and since where in the record. */
  informedConnections: Map<number, number>;
  /** A promise to have stored it, and where it was given. */
  storedAt?: number;
  answers: EntryOf<'answer'>[];
  withdrawn: boolean;
  event: boolean;
  lastRead?: EntryOf<'found'>;
  lastReadBegan: number;
}

/** How long the engine may take before a node considers it away: 2 s, less what a clock may be off. */
export const PATIENCE_OF_NODES_MS = 1900;
/** A close code. */
export const SERVER_FAULT = 1011;

export function check(
  entries: readonly Entry[],
  { tolerated = [], times = [], newcomersMayBeRefused = false, decisionsRecorded = false }: CheckOptions = {},
): Violation[] {
  return new Check(entries, new Set(tolerated), times, newcomersMayBeRefused, decisionsRecorded).run();
}

class Check {
  private readonly violations: Violation[] = [];
  private readonly prompts = new Map<string, Prompt>();
  private readonly questions = new Map<Question, EntryOf<'ask'>>();
  private readonly calls = new Map<number, At<Begun> & { outcome?: Entry; created?: string }>();
  private readonly connectedAt = new Map<number, number>();
  private readonly cancels: { taskId: string; began: number; accepted?: number }[] = [];
  private readonly cancelOfCall = new Map<number, { taskId: string; began: number; accepted?: number }>();
  private readonly aborted = new Set<Question>();
  private readonly left = new Set<number>();
  private readonly closedWith = new Map<number, number>();
  private readonly lives = new Map<string, { starting: number; stopping?: number }[]>();
  private readonly downtimes: { from: number; to: number }[] = [];
  /** Where in the record the store was away. */
  private readonly outages: { from: number; to: number }[] = [];
  private readonly pendingSeen: { prompt: Prompt; at: number; connection?: number; since: number; how: string }[] = [];

  constructor(
    private readonly entries: readonly Entry[],
    private readonly tolerated: ReadonlySet<string>,
    private readonly times: readonly number[],
    private readonly newcomersMayBeRefused: boolean,
    private readonly decisionsRecorded: boolean,
  ) {}

  run(): Violation[] {
    this.readNodes();
    this.entries.forEach((entry, at) => this.read(entry, at));
    this.checkPendingSeen();
    this.checkCalls();
    this.checkKeys();
    for (const prompt of this.prompts.values()) this.checkPrompt(prompt);
    return this.violations;
  }

  /* ---- reading ---- */

  private readNodes(): void {
    const running = new Set<string>();
    let downSince: number | undefined;
    let awaySince = 0;
    this.entries.forEach((entry, at) => {
      if (entry.kind === 'away') {
        awaySince = entry.at;
        this.outages.push({ from: at, to: Infinity });
      } else if (entry.kind === 'back') {
        const outage = this.outages.at(-1);
        if (outage) outage.to = at;
        if (entry.missed) this.downtimes.push({ from: awaySince, to: entry.at });
      }
      if (entry.kind === 'starting') {
        if (running.size === 0 && downSince !== undefined) this.downtimes.push({ from: downSince, to: entry.at });
        running.add(entry.node);
        const lives = this.lives.get(entry.node) ?? [];
        lives.push({ starting: at });
        this.lives.set(entry.node, lives);
      } else if (entry.kind === 'stopping') {
        const life = this.lives.get(entry.node)?.at(-1);
        if (life) life.stopping = at;
      } else if (entry.kind === 'stopped') {
        running.delete(entry.node);
        if (running.size === 0) downSince = entry.at;
      }
    });
  }

  private read(entry: Entry, at: number): void {
    switch (entry.kind) {
      case 'starting':
      case 'stopping':
      case 'stopped':
      case 'away':
      case 'back':
        return;
      case 'ask':
        if (!this.questions.has(entry.question)) this.questions.set(entry.question, entry);
        return this.begin(entry, at);
      case 'answer':
        this.prompt(entry.callbackId).answers.push(entry);
        return this.begin(entry, at);
      case 'withdraw':
        this.prompt(entry.callbackId).withdrawn = true;
        return this.begin(entry, at);
      case 'abort':
        this.aborted.add(entry.question);
        return;
      case 'cancel': {
        const cancel = { taskId: entry.taskId, began: at };
        this.cancels.push(cancel);
        this.cancelOfCall.set(entry.call, cancel);
        return this.begin(entry, at);
      }
      case 'list':
      case 'read':
        return this.begin(entry, at);
      case 'created': {
        const call = this.calls.get(entry.call);
        if (call?.entry.kind !== 'ask') return this.report('every call ends', `call ${entry.call} was created and never asked`);
        call.created = entry.callbackId;
        const prompt = this.prompt(entry.callbackId, call.entry.question);
        prompt.storedAt ??= at;
        return;
      }
      case 'ended': {
        const call = this.finish(entry, entry.call);
        if (call?.entry.kind !== 'ask') return;
        const prompt = this.prompt(entry.callbackId, call.entry.question);
        prompt.storedAt ??= at;
        if (call.created !== undefined && call.created !== entry.callbackId)
          this.report(
            'a key is one prompt',
            `call ${entry.call} created ${call.created} and got the decision of ${entry.callbackId}`,
          );
        this.learn(prompt, entry.verdict, at, `the caller of call ${entry.call}`);
        const throws = entry.verdict.outcome === 'timed_out' && call.entry.onTimeout === 'error';
        if (entry.thrown !== undefined && entry.thrown !== throws)
          this.report(
            'every call ends',
            `call ${entry.call} ${entry.thrown ? 'threw' : 'returned'} a decision ${show(entry.verdict)}`,
          );
        return;
      }
      case 'accepted':
        return this.readAccepted(entry, at);
      case 'refused': {
        const call = this.finish(entry, entry.call);
        if (!entry.verdict || !call || !('callbackId' in call.entry)) return;
        const connection = 'connection' in call.entry ? call.entry.connection : undefined;
        this.learn(this.prompt(call.entry.callbackId), entry.verdict, at, `the late answerer of call ${entry.call}`, connection);
        return;
      }
      case 'failed':
        this.finish(entry, entry.call);
        return;
      case 'connect':
        this.connectedAt.set(entry.connection, at);
        return;
      case 'leave':
        this.left.add(entry.connection);
        return;
      case 'closed':
        this.closedWith.set(entry.connection, entry.code);
        return;
      case 'shown': {
        const prompt = this.prompt(entry.callbackId, entry.question, entry.expiresAt);
        prompt.storedAt ??= at;
        this.pendingSeen.push({
          prompt,
          at,
          connection: entry.connection,
          since: this.connectedAt.get(entry.connection) ?? 0,
          how: `shown on connection ${entry.connection}`,
        });
        return;
      }
      case 'listed': {
        const call = this.finish(entry, entry.call);
        if (call?.entry.kind !== 'list') return;
        const { connection } = call.entry;
        for (const callbackId of entry.callbackIds) {
          const prompt = this.prompt(callbackId);
          this.pendingSeen.push({ prompt, at, connection, since: call.at, how: `listed by call ${entry.call}` });
        }
        return;
      }
      case 'found': {
        const call = this.finish(entry, entry.call);
        if (call?.entry.kind !== 'read') return;
        const prompt = this.prompt(call.entry.callbackId, entry.question, entry.expiresAt);
        prompt.lastRead = entry;
        prompt.lastReadBegan = call.at;
        if (entry.verdict) this.learn(prompt, entry.verdict, at, `the reader of call ${entry.call}`);
        if (entry.state === 'pending') this.pendingSeen.push({ prompt, at, since: call.at, how: `read in call ${entry.call}` });
        return;
      }
      case 'observed': {
        const prompt = this.prompt(entry.callbackId, entry.question);
        if (entry.observer === 'decisions$') prompt.event = true;
        this.learn(prompt, entry.verdict, at, entry.observer, entry.connection);
        return;
      }
      default:
        return entry satisfies never;
    }
  }

  private readAccepted(entry: EntryOf<'accepted'>, at: number): void {
    const call = this.finish(entry, entry.call);
    if (!call) return;
    const begun = call.entry;
    if (begun.kind === 'cancel') {
      const cancel = this.cancelOfCall.get(entry.call);
      if (cancel) cancel.accepted = at;
    } else if (begun.kind === 'withdraw') {
      const prompt = this.prompt(begun.callbackId);
      this.learn(
        prompt,
        { outcome: 'withdrawn', proceed: false },
        at,
        `the withdrawal of call ${entry.call}`,
        undefined,
        'acknowledged is decided',
      );
    } else if (begun.kind === 'answer' && begun.answer) {
      const verdict: Verdict = { outcome: 'answered', answeredBy: begun.by, ...begun.answer };
      this.learn(
        this.prompt(begun.callbackId),
        verdict,
        at,
        `the answerer of call ${entry.call}`,
        begun.connection,
        'acknowledged is decided',
      );
    } else if (begun.kind === 'answer') {
      this.report('acknowledged is decided', `call ${entry.call} gave an invalid answer and was accepted`);
    }
  }

  private begin(entry: Begun, at: number): void {
    this.calls.set(entry.call, { at, entry });
  }

  private finish(outcome: Entry, number: number): (At<Begun> & { outcome?: Entry; created?: string }) | undefined {
    const call = this.calls.get(number);
    if (!call) this.report('every call ends', `call ${number} ends (${outcome.kind}) and never began`);
    else if (call.outcome) this.report('every call ends', `call ${number} ends twice: ${call.outcome.kind}, ${outcome.kind}`);
    else call.outcome = outcome;
    return call;
  }

  private prompt(callbackId: string, question?: Question, expiresAt?: number | null): Prompt {
    let prompt = this.prompts.get(callbackId);
    if (!prompt) {
      prompt = {
        callbackId,
        knownAt: Infinity,
        informedConnections: new Map(),
        answers: [],
        withdrawn: false,
        event: false,
        lastReadBegan: -1,
      };
      this.prompts.set(callbackId, prompt);
    }
    prompt.question ??= question;
    if (expiresAt !== undefined) {
      if (prompt.expiresAt !== undefined && prompt.expiresAt !== expiresAt)
        this.report('nothing is lost', `${callbackId}: its deadline moved from ${prompt.expiresAt} to ${expiresAt}`);
      prompt.expiresAt ??= expiresAt;
    }
    return prompt;
  }

  private learn(
    prompt: Prompt,
    verdict: Verdict,
    at: number,
    who: string,
    connection?: number,
    rule: Rule = 'one decision',
  ): void {
    prompt.knownAt = Math.min(prompt.knownAt, at);
    if (connection !== undefined && !prompt.informedConnections.has(connection)) prompt.informedConnections.set(connection, at);
    const known = prompt.verdict;
    if (known && !agree(known, verdict)) {
      this.report(rule, `${prompt.callbackId}: ${who} has ${show(verdict)}, others ${show(known)}`);
      return;
    }
    prompt.verdict = { ...known, ...verdict };
  }

  /* ---- judging ---- */

  private checkPendingSeen(): void {
    for (const { prompt, at, connection, since, how } of this.pendingSeen) {
      const knownSince = connection === undefined ? undefined : prompt.informedConnections.get(connection);
      if (knownSince !== undefined && knownSince < at)
        this.report('not pending again', `${prompt.callbackId}: ${how} after that connection knew the decision`);
      else if (prompt.knownAt < since)
        this.report('not pending again', `${prompt.callbackId}: ${how}, which began after the decision was known`);
      else if (this.cancelKnown(prompt) < since)
        this.report(
          'not pending again',
          `${prompt.callbackId}: ${how}, which began after its task's cancellation was acknowledged`,
        );
    }
  }

  /** From where on it is known that the prompt's task was cancelled after the prompt was stored. */
  private cancelKnown(prompt: Prompt): number {
    const taskId = this.askOf(prompt)?.taskId;
    if (taskId === undefined || prompt.storedAt === undefined || this.cancels.length === 0) return Infinity;
    const storedAt = prompt.storedAt;
    return Math.min(
      ...this.cancels.flatMap((cancel) =>
        cancel.taskId === taskId && storedAt < cancel.began && cancel.accepted !== undefined ? cancel.accepted : [],
      ),
      Infinity,
    );
  }

  private askOf(prompt: Prompt): EntryOf<'ask'> | undefined {
    return prompt.question === undefined ? undefined : this.questions.get(prompt.question);
  }

  private checkPrompt(prompt: Prompt): void {
    const { callbackId, verdict, lastRead } = prompt;
    const promised = prompt.storedAt !== undefined || verdict !== undefined;
    if (promised && !lastRead) this.report('nothing is lost', `${callbackId}: nobody read it at the end`);
    if (promised && lastRead?.state === 'missing') this.report('nothing is lost', `${callbackId}: it is gone`);
    if (lastRead?.state === 'pending' && prompt.knownAt < prompt.lastReadBegan)
      this.report('nothing is lost', `${callbackId}: the decision ${show(verdict)} was known and is gone`);
    if (!verdict) return;
    if (this.decisionsRecorded && !prompt.event)
      this.report('decisions are emitted', `${callbackId}: decisions$ did not emit ${show(verdict)}`);
    this.checkCause(prompt, verdict);
  }

  private checkCause(prompt: Prompt, verdict: Verdict): void {
    const { callbackId, expiresAt } = prompt;
    const ask = this.askOf(prompt);
    const wrong = (what: string): void =>
      this.report(
        verdict.proceed ? 'proceed was chosen' : 'a decision has a cause',
        `${callbackId}: ${show(verdict)}, but ${what}`,
      );
    switch (verdict.outcome) {
      case 'answered':
        if (
          !prompt.answers.some(({ by, answer }) => answer && agree(verdict, { outcome: 'answered', answeredBy: by, ...answer }))
        )
          wrong('nobody answered so');
        if (expiresAt != null && verdict.decidedAt !== undefined && verdict.decidedAt >= expiresAt)
          this.report('a decision has a cause', `${callbackId}: answered ${verdict.decidedAt - expiresAt} ms after the deadline`);
        return;
      case 'timed_out': {
        if (expiresAt === null) wrong('it had no deadline');
        if (expiresAt != null && verdict.decidedAt !== undefined && verdict.decidedAt < expiresAt)
          this.report(
            'a decision has a cause',
            `${callbackId}: timed out ${expiresAt - verdict.decidedAt} ms before the deadline`,
          );
        if (!ask) return wrong('nobody asked');
        const missed = expiresAt != null && this.downtimes.some(({ from, to }) => from <= expiresAt && expiresAt <= to);
        if (verdict.proceed && ask.onTimeout !== 'proceed') wrong(`the deadline was to ${ask.onTimeout}`);
        if (verdict.proceed && ask.onTimeoutBy === 'setting' && missed) wrong('only a setting said so, and nothing ran');
        // Deadlines wait for a node that was killed until the others know it. On a busy machine that may take too long for a setting.
        const killed = [...this.lives.values()].some((lives) => lives.length > 1);
        const undisturbed = this.downtimes.length === 0 && this.outages.length === 0 && !killed;
        if (!verdict.proceed && ask.onTimeout === 'proceed' && (ask.onTimeoutBy === 'caller' || undisturbed))
          wrong('the deadline was to proceed');
        return;
      }
      case 'cancelled':
        if (verdict.proceed) wrong('a cancellation never proceeds');
        if (!ask || !this.cancels.some(({ taskId }) => taskId === ask.taskId)) wrong('nobody cancelled its task');
        return;
      case 'withdrawn':
        if (verdict.proceed) wrong('a withdrawal never proceeds');
        if (!prompt.withdrawn && !(prompt.question !== undefined && this.aborted.has(prompt.question)))
          wrong('nobody withdrew it');
        return;
      default:
        verdict.outcome satisfies never;
    }
  }

  private checkCalls(): void {
    for (const [number, { at, entry, outcome, created }] of this.calls) {
      const what = `${entry.kind} (call ${number})`;
      if (!outcome) {
        if (entry.kind === 'ask' && entry.waits === false && created !== undefined) continue;
        this.report('every call ends', `${what} never ended`);
      } else if (outcome.kind === 'failed') {
        const code = 'connection' in entry && entry.connection !== undefined ? this.closedWith.get(entry.connection) : undefined;
        const closed = code === undefined ? '' : `, its connection closed with ${code}`;
        if (!this.mayFail(entry, at, outcome)) this.report('every call ends', `${what} ended with ${outcome.error}${closed}`);
      } else if (outcome.kind === 'refused') {
        this.checkRefusal(entry, outcome, what);
      }
    }
  }

  private mayFail(begun: Begun, at: number, { error }: EntryOf<'failed'>): boolean {
    if (this.tolerated.has(error)) return true;
    const endedAt = this.endOf(begun, at);
    if (error !== 'ServiceClosedError' && error !== 'connection lost') return false;
    const connection = 'connection' in begun ? begun.connection : undefined;
    if (error === 'ServiceClosedError') {
      if (this.isExcused(at, endedAt)) return true;
      if (this.newcomersMayBeRefused && begun.kind === 'list' && connection !== undefined) return true;
    }
    if (error === 'connection lost' && connection !== undefined) {
      if (this.left.has(connection)) return true;
      // Who comes while the store is away is sent away, to come again.
      const from = this.connectedAt.get(connection) ?? at;
      const sentAway = this.closedWith.get(connection) === SERVER_FAULT;
      if (sentAway && (this.newcomersMayBeRefused || this.isExcused(from, endedAt))) return true;
    }
    const lives = this.lives.get(begun.node) ?? [];
    const since = (connection === undefined ? undefined : this.connectedAt.get(connection)) ?? at;
    const life = lives.findLast(({ starting }) => starting <= since);
    return life?.stopping !== undefined && life.stopping < endedAt;
  }

  /** Between two places of the record the store was away, or the machine so slow that a node had to think so. */
  private isExcused(began: number, ended: number): boolean {
    if (this.outages.some(({ from, to }) => from < ended && began < to)) return true;
    return (this.times[ended] ?? 0) - (this.times[began] ?? 0) >= PATIENCE_OF_NODES_MS;
  }

  private endOf({ call }: Begun, at: number): number {
    const end = this.calls.get(call)?.outcome;
    return end ? this.entries.indexOf(end, at) : -1;
  }

  private checkRefusal(begun: Begun, { code, verdict }: EntryOf<'refused'>, what: string): void {
    if (this.tolerated.has(code)) return;
    if (begun.kind === 'answer' && begun.answer === null && code === 'INVALID_ANSWER') return;
    if ((begun.kind !== 'answer' && begun.kind !== 'withdraw') || code !== 'ALREADY_RESOLVED')
      return this.report('every call ends', `${what} was refused with ${code}`);
    if (!verdict) return this.report('every call ends', `${what} came too late and did not get the decision`);
    const repeats =
      begun.kind === 'withdraw'
        ? verdict.outcome === 'withdrawn'
        : begun.answer !== null && sameAnswer(verdict, begun.by, begun.answer);
    if (repeats) this.report('acknowledged is decided', `${what} repeats ${show(verdict)} and was refused`);
  }

  private checkKeys(): void {
    const ofKey = new Map<string, { ids: Set<string>; ended: boolean }>();
    const ofCall = new Map<string, number>();
    for (const [number, { entry, outcome, created }] of this.calls) {
      if (entry.kind !== 'ask') continue;
      const callbackId = outcome?.kind === 'ended' ? outcome.callbackId : created;
      if (entry.key !== undefined) {
        const name = JSON.stringify([entry.userId, entry.key]);
        const of = ofKey.get(name) ?? { ids: new Set(), ended: false };
        ofKey.set(name, of);
        if (callbackId !== undefined) of.ids.add(callbackId);
        of.ended ||=
          entry.waits === false || outcome?.kind === 'ended' || (outcome?.kind === 'failed' && this.tolerated.has(outcome.error));
      } else if (callbackId !== undefined) {
        const other = ofCall.get(callbackId);
        if (other !== undefined)
          this.report('a key is one prompt', `calls ${other} and ${number} without key share ${callbackId}`);
        ofCall.set(callbackId, number);
      }
    }
    for (const [name, { ids, ended }] of ofKey) {
      if (ids.size > 1) this.report('a key is one prompt', `${name} stands for ${[...ids].join(' and ')}`);
      if (!ended) this.report('every call ends', `no caller of ${name} got its decision`);
    }
  }

  private report(rule: Rule, message: string): void {
    this.violations.push({ rule, message });
  }
}

/** Whether two observers may be speaking of the same decision. */
function agree(one: Verdict, other: Verdict): boolean {
  return (Object.keys(other) as (keyof Verdict)[]).every(
    (name) => one[name] === undefined || other[name] === undefined || one[name] === other[name],
  );
}

function sameAnswer(verdict: Verdict, by: string | null, answer: GivenAnswer): boolean {
  return (
    verdict.outcome === 'answered' &&
    verdict.answeredBy === by &&
    verdict.proceed === answer.proceed &&
    verdict.choice === answer.choice &&
    verdict.feedback === answer.feedback &&
    verdict.values === answer.values
  );
}

const show = (verdict: Verdict | undefined): string => JSON.stringify(verdict);
