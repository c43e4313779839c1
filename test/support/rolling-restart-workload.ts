/**
 * Users behind nginx, and a back-end that asks them, writes to them and to all, over REST through the same nginx, at a
 * given rate. It records what was accepted; `account()` says what of it is missing.
 *
 * A call fails when it gets no answer or one of 5xx. It is then repeated, unchanged: questions by `Idempotency-Key`,
 * messages with the same number, by which their receiver knows them. An answer fails when what it finally gets is
 * neither "accepted" nor the same for its repetition, or when the back-end gets another decision.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from './bad-network-workload.js';
import { answerTo, RollingUser } from './reconnecting-user.js';

export interface RollingAccount {
  calls: number;
  /** Of them, those that had to be repeated, by what they got. */
  failedCalls: Record<string, number>;
  questions: number;
  answers: number;
  failedAnswers: number;
  expectedMessages: number;
  lost: number;
  gaps: number;
  /** Messages that an application got twice. */
  doubled: number;
  /** How many users came back how often. */
  reconnects: Record<string, number>;
  /** Attempts to connect that failed, by what they got. */
  refusedConnects: Record<string, number>;
  closeCodes: Record<string, number>;
  callP99Ms: number;
  callMaxMs: number;
}

const CONNECTING_AT_ONCE = 50;
const REPEAT_AFTER_MS = 50;
const POLL_S = 10;
/** One call of this many is a broadcast. */
const BROADCAST_EVERY = 300;
const PATIENCE_MS = 30_000;

export class RollingWorkload {
  readonly users: RollingUser[] = [];
  private readonly sent = new Map<string, Set<number>>([['broadcast', new Set()]]);
  private readonly toAcknowledge: [RollingUser, number][] = [];
  private readonly wrong: unknown[] = [];
  private readonly failedCalls: Record<string, number> = {};
  private readonly durations: number[] = [];
  private calls = 0;
  private questions = 0;
  private stopping = false;

  constructor(private readonly site: { url: string; wsUrl: string }) {}

  async connect(count: number): Promise<void> {
    while (this.users.length < count) {
      const some = Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - this.users.length) }, (_, index) => {
        return new RollingUser(`user-${this.users.length + index}`, this.site.wsUrl);
      });
      this.users.push(...some);
      await Promise.all(some.map((user) => user.ready()));
    }
    for (const { id } of this.users) this.sent.set(`user:${id}`, new Set());
  }

  /** Makes calls until `stop()`; resolves when the last of them is answered. */
  async work(perSecond: number): Promise<void> {
    const open = new Set<Promise<void>>();
    const begun = performance.now();
    for (let n = 1; !this.stopping; n += 1) {
      const call = this.operation(n);
      open.add(call);
      void call.finally(() => open.delete(call)).catch(() => undefined);
      await delay(Math.max(0, begun + (n * 1000) / perSecond - performance.now()));
    }
    await Promise.all(open);
  }

  stop(): void {
    this.stopping = true;
  }

  /** Waits until everything has arrived, or long enough. */
  async settle(): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    while (Date.now() < until && (this.lost() > 0 || this.users.some(({ openAnswers }) => openAnswers > 0))) await delay(250);
  }

  close(): void {
    this.stopping = true;
    for (const { client } of this.users) client.close();
  }

  account(): RollingAccount {
    const sum = (pick: (user: RollingUser) => number): number => this.users.reduce((total, user) => total + pick(user), 0);
    const unfinished = sum(({ openAnswers, errors }) => openAnswers + errors.length);
    if (unfinished > 0 || this.wrong.length > 0)
      console.error(this.users.flatMap(({ errors }) => errors).slice(0, 5), this.wrong.slice(0, 5));
    return {
      calls: this.calls,
      failedCalls: this.failedCalls,
      questions: this.questions,
      answers: sum(({ counts }) => counts.answers),
      failedAnswers: unfinished + this.wrong.length,
      expectedMessages: this.expected(),
      lost: this.lost(),
      gaps: sum(({ counts }) => counts.gaps),
      doubled: sum(({ counts }) => counts.repetitions),
      reconnects: tally(this.users.map(({ counts }) => counts.connects - 1)),
      refusedConnects: tally(this.users.flatMap(({ refusals }) => refusals)),
      closeCodes: tally(this.users.flatMap(({ closes }) => closes)),
      callP99Ms: Math.round(percentile(this.durations, 0.99)),
      callMaxMs: Math.round(Math.max(...this.durations)),
    };
  }

  private expected(): number {
    let toUsers = this.toAcknowledge.length;
    for (const [channel, numbers] of this.sent) if (channel !== 'broadcast') toUsers += numbers.size;
    return toUsers + this.users.length * this.sent.get('broadcast')!.size;
  }

  private lost(): number {
    let lost = this.toAcknowledge.filter(([user, n]) => !user.acknowledged.has(n)).length;
    for (const user of this.users) {
      for (const channel of [`user:${user.id}`, 'broadcast']) {
        const received = user.received(channel);
        for (const n of this.sent.get(channel)!) if (!received.has(n)) lost += 1;
      }
    }
    return lost;
  }

  private async operation(n: number): Promise<void> {
    const user = this.users[Math.floor(Math.random() * this.users.length)]!;
    if (n % BROADCAST_EVERY === 0) {
      await this.call('POST', '/ws/broadcast', { type: 'note', n });
      this.sent.get('broadcast')!.add(n);
    } else if (n % 4 === 0) await this.question(user, n);
    else if (n % 4 === 1) {
      await this.call('POST', `/ws/users/${user.id}/messages?requires_ack=true`, { type: 'bill', n });
      this.toAcknowledge.push([user, n]);
    } else {
      await this.call('POST', `/ws/users/${user.id}/messages`, { type: 'note', n });
      this.sent.get(`user:${user.id}`)!.add(n);
    }
  }

  private async question(user: RollingUser, n: number): Promise<void> {
    this.questions += 1;
    const body = { user_id: user.id, task_id: `task-${n}`, step: n, step_result: { message: '?' }, on_timeout: 'abort' };
    let decided = await this.call('POST', `/ws/confirmations?wait=${POLL_S}`, body, { 'idempotency-key': `question-${n}` });
    const path = `/ws/confirmations/${String(decided['callback_id'])}?wait=${POLL_S}`;
    for (let polls = 0; decided['state'] === 'pending' && polls < 5; polls += 1) decided = await this.call('GET', path);
    const { proceed, feedback } = answerTo(n);
    if (decided['state'] !== 'answered' || decided['proceed'] !== proceed || decided['feedback'] !== feedback)
      this.wrong.push(decided);
  }

  /** Repeats what failed until it succeeds. @throws Error for a refusal */
  private async call(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    this.calls += 1;
    const begun = performance.now();
    const until = begun + PATIENCE_MS;
    for (;;) {
      const outcome = await this.attempt(method, path, body, headers);
      if (typeof outcome === 'object') {
        if (!path.includes(`wait=`)) this.durations.push(performance.now() - begun);
        return outcome;
      }
      this.failedCalls[outcome] = (this.failedCalls[outcome] ?? 0) + 1;
      if (performance.now() > until) throw new Error(`${method} ${path}: ${outcome} until patience ended`);
      await delay(REPEAT_AFTER_MS);
    }
  }

  private async attempt(
    method: string,
    path: string,
    body: object | undefined,
    headers: Record<string, string>,
  ): Promise<Record<string, unknown> | string> {
    let status: number;
    try {
      const response = await fetch(this.site.url + path, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      ({ status } = response);
      const text = await response.text();
      if (status >= 500) return `${method} ${status}`;
      if (response.ok) return JSON.parse(text) as Record<string, unknown>;
    } catch (error) {
      return `${method} ${error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : String(error)}`;
    }
    throw new Error(`${method} ${path} was answered ${status}`);
  }
}

function tally(values: readonly (number | string)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
