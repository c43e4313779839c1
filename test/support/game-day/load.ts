/**
 * What a deployment does all day: workers ask users over REST and write to them, users answer. Some prompts go to people
 * who are not there and are decided by their deadline. `lost()` says what of it was acknowledged and is missing.
 *
 *  1. Nothing is repeated: a call that fails was not acknowledged, and owes nothing.
 *  2. A call that a node does not answer holds back no other node; each node has a bounded number of calls under way.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AnsweringUser, answerOf } from './answering-user.js';

/** Few enough prompts for each person, even within a whole game day, not to be too many. */
const USERS = 60;
const CALL_EVERY_MS = 120;
const CALL_TIMEOUT_MS = 6000;
const MAX_UNDER_WAY = 20;
const ABSENT_TIMEOUT_S = 4;
const TIMEOUT_S = 300;

type Body = Record<string, unknown>;

/** What was acknowledged since the last `forget`. */
interface Acknowledged {
  /** Steps by `callback_id`, with the user who is asked. */
  prompts: Map<string, { step: number; user: AnsweringUser | undefined }>;
  messages: Map<string, AnsweringUser>;
}

export interface Totals {
  prompts: number;
  answers: number;
  messages: number;
  failedCalls: number;
}

export class Load {
  readonly users: AnsweringUser[];
  private readonly acknowledged: Acknowledged = { prompts: new Map(), messages: new Map() };
  private readonly underWay: Set<Promise<void>>[];
  private failedCalls = 0;
  private stopped = false;
  private readonly running: Promise<void>;
  private promptTimeoutS = TIMEOUT_S;

  /** @param urls of the nodes. @param delivered the confirmations of which a webhook receiver has the decision */
  constructor(
    private readonly urls: readonly string[],
    private readonly delivered?: () => ReadonlySet<string>,
  ) {
    const wsUrls = urls.map((url) => `${url.replace('http', 'ws')}/ws`);
    this.users = Array.from({ length: USERS }, (_, index) => {
      return new AnsweringUser(`user-${index}`, () => wsUrls[index % wsUrls.length] ?? '');
    });
    this.underWay = urls.map(() => new Set());
    this.running = this.run();
  }

  /** From now on users do (not) answer; prompts then run out after `timeoutS`. */
  answering(isAnswering: boolean, timeoutS = TIMEOUT_S): void {
    for (const user of this.users) user.isAnswering = isAnswering;
    this.promptTimeoutS = timeoutS;
  }

  /** Starts a new account. */
  forget(): void {
    this.acknowledged.prompts.clear();
    this.acknowledged.messages.clear();
    for (const user of this.users) user.accepted.clear();
    this.failedCalls = 0;
  }

  totals(): Totals {
    return {
      prompts: this.acknowledged.prompts.size,
      answers: this.answers().size,
      messages: this.acknowledged.messages.size,
      failedCalls: this.failedCalls,
    };
  }

  /** Waits up to `withinMs` for what is on its way. @returns what was acknowledged and is missing, in words */
  async lost(withinMs: number): Promise<string[]> {
    const end = performance.now() + withinMs;
    const account = { prompts: new Map(this.acknowledged.prompts), messages: new Map(this.acknowledged.messages) };
    for (;;) {
      const missing = await this.missing(account);
      if (missing.length === 0 || performance.now() > end) return missing;
      await delay(1000);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
    await Promise.all(this.users.map(({ client }) => client.stop()));
  }

  private answers(): Map<string, number> {
    return new Map(this.users.flatMap(({ accepted }) => [...accepted]));
  }

  private async missing({ prompts, messages }: Acknowledged): Promise<string[]> {
    const missing: string[] = [];
    for (const [messageId, user] of messages)
      if (!user.messageIds.has(messageId)) missing.push(`${user.id} has not received message ${messageId}`);
    const gaps = this.users.filter(({ client }) => client.counts.gaps > 0);
    missing.push(...gaps.map(({ id }) => `the messages of ${id} have a gap that was not announced`));
    const answers = this.answers();
    const delivered = this.delivered?.();
    for (const [callbackId, { user }] of prompts) {
      const confirmation = await this.read(callbackId);
      const state = String(confirmation['state'] ?? confirmation['code']);
      const step = answers.get(callbackId);
      if (step !== undefined && !isAnswered(confirmation, step)) missing.push(`the answer to ${callbackId}: it is ${state}`);
      else if (user === undefined && state === 'pending') missing.push(`prompt ${callbackId} outlives its deadline`);
      else if (!['answered', 'timed_out', 'pending'].includes(state)) missing.push(`prompt ${callbackId}: it is ${state}`);
      else if (user === undefined && state === 'answered') missing.push(`prompt ${callbackId} has an answer that nobody gave`);
      else if (state === 'timed_out' && confirmation['proceed'] !== false)
        missing.push(`prompt ${callbackId} proceeds by itself`);
      else if (state !== 'pending' && delivered?.has(callbackId) === false) missing.push(`the webhook about ${callbackId}`);
    }
    return missing;
  }

  private async read(callbackId: string): Promise<Body> {
    const response = await fetch(`${this.urls[0]}/ws/confirmations/${callbackId}`, {
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return (await response.json()) as Body;
  }

  private async run(): Promise<void> {
    for (let n = 1; !this.stopped; n += 1) {
      const node = n % this.urls.length;
      const calls = this.underWay[node];
      if (calls && calls.size < MAX_UNDER_WAY) {
        const call = this.operation(n, this.urls[node] ?? '').finally(() => calls.delete(call));
        calls.add(call);
      }
      await delay(CALL_EVERY_MS);
    }
    await Promise.all(this.underWay.flatMap((calls) => [...calls]));
  }

  private async operation(n: number, url: string): Promise<void> {
    const user = this.users[n % USERS];
    if (!user) return;
    if (n % 9 === 0) await this.ask(url, n, undefined);
    else if (n % 3 === 0) await this.ask(url, n, user);
    else if (n % 3 === 1) {
      const sent = await this.post(`${url}/ws/users/${user.id}/messages?requires_ack=true`, { type: 'bill', n });
      if (sent) this.acknowledged.messages.set(String(sent['message_id']), user);
    } else await this.post(`${url}/ws/users/${user.id}/messages`, { type: 'note', n });
  }

  private async ask(url: string, step: number, user: AnsweringUser | undefined): Promise<void> {
    const asked = await this.post(`${url}/ws/confirmations`, {
      user_id: user?.id ?? `absent-${step}`,
      task_id: `task-${step}`,
      step,
      step_result: { message: 'Go on?' },
      timeout: user ? this.promptTimeoutS : ABSENT_TIMEOUT_S,
      on_timeout: 'abort',
    });
    if (asked) this.acknowledged.prompts.set(String(asked['callback_id']), { step, user });
  }

  /** @returns the body of a success */
  private async post(url: string, body: object): Promise<Body | undefined> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      const answer = (await response.json()) as Body;
      if (response.ok) return answer;
    } catch {
      // Refused, reset, or not answered in time.
    }
    this.failedCalls += 1;
    return undefined;
  }
}

function isAnswered(confirmation: Body, step: number): boolean {
  const { proceed, feedback } = answerOf(step);
  return confirmation['state'] === 'answered' && confirmation['proceed'] === proceed && confirmation['feedback'] === feedback;
}
