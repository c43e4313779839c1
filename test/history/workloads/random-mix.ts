/**
 * A random mix of everything that can happen to a question, from a seed: callers with and without a key, several of them
 * on one key; several devices of each user and anonymous ones; answers that race each other, the deadline, cancellations
 * and withdrawals; wrong, repeated and contradicting answers; devices that come and go; nodes that stop in the middle.
 *
 * What is done to a question follows from the seed and the question's number alone; in which order it happens is the
 * machine's. At the end everything that is still pending is answered, and every prompt is looked at.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Choice, InputSchema, OnTimeout } from '../../../src/protocol/confirmation.js';
import type { Recorder } from '../recorder.js';
import {
  answerByRest,
  askByRest,
  askInProcess,
  cancelByRest,
  Device,
  effective,
  listByRest,
  readByRest,
  LostCall,
  withdrawByRest,
  type Answer,
  type Asked,
  type PromptFrame,
} from '../recorded-client.js';
import { Random } from '../../support/random.js';
import type { Site } from '../sites/single-node.js';

export interface WorkloadOptions {
  seed: number;
  prompts: number;
  /** How many times a node is stopped in the middle. */
  restarts: number;
  /** Distinguishes users, tasks and keys of several runs on the same data. @default 0 */
  round?: number;
  /** What the service's setting says for questions that say nothing. */
  timeoutDecision: OnTimeout;
  /** Questions under way at once. @default 64 */
  concurrency?: number;
  /**
   * After each restart what is pending is answered: for a site whose sockets outlive what happens to it, so that nobody
   * is shown again what he could not answer. @default false
   */
  sweeps?: boolean;
}

/** What is going to end a question. */
type End =
  /** Somebody answers soon. */
  | 'answer'
  /** Answers are aimed at the deadline. */
  | 'race'
  /** Nobody answers before the deadline. */
  | 'silence'
  | 'cancel'
  | 'signal'
  | 'withdraw'
  /** Nobody cares until the end. */
  | 'later';

const ENDS: readonly [End, number][] = [
  ['answer', 45],
  ['race', 20],
  ['silence', 8],
  ['cancel', 7],
  ['signal', 7],
  ['withdraw', 7],
  ['later', 6],
];

interface Plan extends Asked {
  end: End;
  /** How many call at once; more than one only with a key. */
  callers: number;
  byRest: boolean;
  asksAgain: boolean;
}

const CHOICES: Choice[] = [
  { id: 'go', label: 'Go', proceed: true },
  { id: 'stop', label: 'Stop', proceed: false },
];
const FORM: InputSchema = { type: 'object', properties: { size: { type: 'integer', minimum: 1 } }, required: ['size'] };
const USERS = 16;
const DEVICES_PER_USER = 2;
const ANONYMOUS = 2;
/** Questions of one task, all of one user, so that a cancellation meets several. */
const QUESTIONS_PER_TASK = 4;
const LONG_MS = 600_000;
/** A node or the store is going or gone: asking again at once would only be refused again. */
const AFTER_LOSS_MS = 5;

export class Workload {
  private readonly plans = new Map<number, Plan>();
  private readonly background = new Set<Promise<unknown>>();
  private readonly devices = new Set<Device>();
  private ending = false;
  private unexpected: Error | undefined;

  constructor(
    private readonly site: Site,
    private readonly recorder: Recorder,
    private readonly options: WorkloadOptions,
  ) {}

  async run(): Promise<void> {
    try {
      await this.work();
    } finally {
      this.ending = true;
      for (const device of this.devices) device.cut();
    }
  }

  private async work(): Promise<void> {
    const supervised = this.comeAndGo();
    const callers: Promise<void>[] = [];
    const stops = new Set<Promise<void>>();
    const { prompts, restarts, concurrency = 64 } = this.options;
    const restartAt = new Set(
      Array.from({ length: restarts }, (_, index) => Math.floor(((index + 1) * prompts) / (restarts + 1))),
    );
    let under = 0;
    let wake: () => void = () => undefined;
    for (let number = 1; number <= prompts; number += 1) {
      while (under >= concurrency) await new Promise<void>((resolve) => (wake = resolve));
      this.mustBeWell();
      if (restartAt.has(number)) {
        await Promise.all(stops); // one at a time
        stops.add(this.restart(this.randomOf(number, 7).between(0, 150)));
      }
      const plan = this.plan(number);
      under += plan.end === 'later' ? 0 : 1;
      const asked = this.ask(plan);
      callers.push(asked);
      if (plan.end === 'later') continue;
      void asked.finally(() => {
        under -= 1;
        wake();
      });
    }
    await Promise.all(stops);
    await this.finish(callers, supervised);
  }

  private async restart(downMs: number): Promise<void> {
    try {
      await this.site.restart(downMs);
      if (this.options.sweeps) await this.answerWhatIsPending();
    } catch (error) {
      this.unexpected ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  /* ---- callers ---- */

  private plan(number: number): Plan {
    const { round = 0, timeoutDecision } = this.options;
    const question = round * 1_000_000 + number;
    const random = this.randomOf(question, 1);
    const task = Math.floor(number / QUESTIONS_PER_TASK);
    const end = pickWeighted(random, ENDS);
    const isTimed = end === 'race' || end === 'silence';
    const mayBeTimed = end === 'cancel' || end === 'withdraw' || end === 'signal';
    const hasKey = random.chance(0.5);
    const kind = random.next();
    const plan: Plan = {
      question,
      userId: `user-${round}-${task % USERS}`,
      taskId: `task-${round}-${task}`,
      key: hasKey ? `key-${question}` : undefined,
      timeoutMs: isTimed || (mayBeTimed && random.chance(0.3)) ? random.between(20, 200) : random.chance(0.3) ? null : LONG_MS,
      onTimeout: random.pick(['proceed', 'abort', 'error', undefined] as const),
      onTimeoutBySetting: timeoutDecision,
      choices: kind < 0.3 ? CHOICES : undefined,
      inputSchema: kind > 0.8 ? FORM : undefined,
      end,
      callers: hasKey && random.chance(0.4) ? 2 : 1,
      byRest: end !== 'signal' && random.chance(0.3),
      asksAgain: hasKey && random.chance(0.3),
    };
    this.plans.set(question, plan);
    return plan;
  }

  private async ask(plan: Plan): Promise<void> {
    await Promise.all(Array.from({ length: plan.callers }, (_, index) => this.call(plan, index)));
    if (plan.asksAgain) await this.call(plan, 0);
  }

  /** Calls until it gets a decision; without a key a call that came to nothing is not repeated. */
  private async call(plan: Plan, caller: number): Promise<void> {
    const withdrawing = new AbortController();
    if (plan.end === 'signal' && caller === 0 && (await this.site.node()).notifications) {
      const afterMs = this.randomOf(plan.question, 2).between(0, 60);
      this.inBackground(
        pause(afterMs).then(() => {
          this.recorder.record({ kind: 'abort', question: plan.question });
          withdrawing.abort();
        }),
      );
    }
    for (;;) {
      const node = await this.site.node();
      try {
        if (node.notifications && !plan.byRest) {
          const signal = plan.end === 'signal' && caller === 0 && !withdrawing.signal.aborted ? withdrawing.signal : undefined;
          await askInProcess(this.recorder, node, plan, signal);
        } else await askByRest(this.recorder, node, plan, { onCreated: (id) => this.withdrawSoon(plan, caller, id) });
        return;
      } catch (error) {
        if (!(error instanceof LostCall)) throw error;
        if (plan.key === undefined) return;
        await pause(AFTER_LOSS_MS);
      }
    }
  }

  /** By REST there is no signal: the caller withdraws. */
  private withdrawSoon(plan: Plan, caller: number, callbackId: string): void {
    if (plan.end !== 'signal' || caller !== 0) return;
    const withdraw = async (): Promise<void> => {
      await pause(this.randomOf(plan.question, 2).between(0, 60));
      await withdrawByRest(this.recorder, await this.site.node(), callbackId);
    };
    this.inBackground(withdraw());
  }

  /* ---- devices ---- */

  /** Keeps every device connected until the end. */
  private comeAndGo(): Promise<unknown> {
    const { round = 0 } = this.options;
    const slots: (string | null)[] = Array.from({ length: ANONYMOUS }, () => null);
    for (let user = 0; user < USERS; user += 1)
      for (let device = 0; device < DEVICES_PER_USER; device += 1) slots.push(`user-${round}-${user}`);
    return Promise.all(slots.map((userId, slot) => this.comeBack(userId, slot)));
  }

  private async comeBack(userId: string | null, slot: number): Promise<void> {
    const random = this.randomOf(slot, 3);
    while (!this.ending) {
      const node = await this.site.node();
      try {
        const device = await Device.connect(this.recorder, node, userId, (prompt, shown) =>
          this.onPrompt(prompt, shown, slot, random),
        );
        this.devices.add(device);
        await device.closed;
        this.devices.delete(device);
      } catch (error) {
        if (!(error instanceof LostCall)) throw error;
      }
      await pause(AFTER_LOSS_MS);
    }
  }

  private onPrompt(prompt: PromptFrame, device: Device, slot: number, random: Random): void {
    const plan = this.plans.get(prompt.step);
    if (!plan || !device.isOpen) return; // of another run on the same data
    // Until its `subscribe` is answered a device sees everybody's.
    if (device.userId !== null && device.userId !== prompt.user_id) return;
    if (random.chance(0.01)) this.inBackground(device.leave());
    else if (random.chance(0.02)) this.inBackground(device.userId === null ? device.listPending() : device.subscribe());
    this.inBackground(this.react(plan, prompt, device, slot));
  }

  private async react(plan: Plan, prompt: PromptFrame, device: Device, slot: number): Promise<unknown> {
    const random = this.randomOf(plan.question, 4, slot);
    const isFirst = slot >= ANONYMOUS && (slot - ANONYMOUS) % DEVICES_PER_USER === 0;
    const takesPart = device.userId === null ? random.chance(0.1) : isFirst || random.chance(0.6);
    if (!takesPart && plan.end !== 'race') return;
    switch (plan.end) {
      case 'answer':
        await pause(random.between(0, 20));
        return this.answer(plan, prompt, device, random);
      case 'race': {
        const aim = (prompt.expires_at ?? 0) * 1000 + random.between(-8, 8) - Date.now();
        await pause(Math.max(0, aim));
        return this.answer(plan, prompt, device, random);
      }
      case 'cancel':
        await pause(random.between(0, 20));
        if (isFirst && random.chance(0.5)) return device.cancel(plan.taskId, plan.userId);
        if (isFirst) return cancelByRest(this.recorder, await this.site.node(), plan.taskId, plan.userId);
        return this.answer(plan, prompt, device, random);
      case 'withdraw':
        await pause(random.between(0, 20));
        if (isFirst) return withdrawByRest(this.recorder, await this.site.node(), prompt.callback_id);
        return this.answer(plan, prompt, device, random);
      case 'signal':
        await pause(random.between(0, 80));
        return random.chance(0.5) ? this.answer(plan, prompt, device, random) : undefined;
      case 'silence':
      case 'later':
        return;
      default:
        plan.end satisfies never;
    }
  }

  private async answer(plan: Plan, prompt: PromptFrame, device: Device, random: Random): Promise<void> {
    const { callback_id: callbackId } = prompt;
    if (random.chance(0.1)) await device.answer(callbackId, wrongAnswer(plan), null);
    const answer = answerFor(plan, random);
    const counts = effective(answer, plan.choices);
    const byRest = random.chance(0.15);
    const send = async (given: Answer): Promise<unknown> =>
      byRest
        ? answerByRest(this.recorder, await this.site.node(), callbackId, given, effective(given, plan.choices))
        : device.answer(callbackId, given, effective(given, plan.choices));
    await send(answer);
    if (random.chance(0.2)) await send(answer);
    if (random.chance(0.1)) await send({ ...refusal(plan), feedback: counts.feedback === 'no' ? 'never' : 'no' });
  }

  /* ---- the end ---- */

  private async finish(callers: Promise<void>[], supervised: Promise<unknown>): Promise<void> {
    await this.quiet();
    let left = callers.length;
    const all = Promise.all(callers.map((caller) => caller.finally(() => (left -= 1))));
    do {
      await this.answerWhatIsPending();
      this.mustBeWell();
      await Promise.race([all, pause(50)]);
    } while (left > 0 || (await this.pendingOnes()).length > 0);
    this.ending = true;
    for (const device of this.devices) await device.leave();
    await supervised;
    await this.quiet();
    await this.readAll();
    this.mustBeWell();
  }

  private async pendingOnes(): Promise<string[]> {
    const { round = 0 } = this.options;
    const node = await this.site.node();
    const users = Array.from({ length: USERS }, (_, user) => `user-${round}-${user}`);
    const pages = await Promise.all(users.map((userId) => listByRest(this.recorder, node, userId)));
    return pages.flat().map(({ callback_id }) => callback_id);
  }

  /** Whatever was stored can be answered. */
  private async answerWhatIsPending(): Promise<void> {
    const node = await this.site.node();
    const answer = { proceed: false, feedback: 'late' };
    await eachOf(await this.pendingOnes(), 32, (callbackId) =>
      answerByRest(this.recorder, node, callbackId, answer, effective(answer)),
    );
  }

  private async readAll(): Promise<void> {
    const known = new Set<string>();
    for (const entry of this.recorder.entries) if ('callbackId' in entry) known.add(entry.callbackId);
    const node = await this.site.node();
    await eachOf([...known], 32, (callbackId) => readByRest(this.recorder, node, callbackId));
  }

  private inBackground(work: Promise<unknown>): void {
    this.background.add(work);
    work
      .catch((error: unknown) => {
        this.unexpected ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.background.delete(work));
  }

  private async quiet(): Promise<void> {
    while (this.background.size > 0) await Promise.allSettled(this.background);
  }

  private mustBeWell(): void {
    if (this.unexpected) throw this.unexpected;
  }

  private randomOf(...parts: number[]): Random {
    return Random.of(this.options.seed, ...parts);
  }
}

/** Does `work` for every item, at most `atOnce` of them at a time. */
export async function eachOf<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}

function answerFor(plan: Plan, random: Random): Answer {
  const proceed = random.chance(0.5);
  const feedback = random.chance(0.3) ? random.pick(['yes', 'no', 'perhaps']) : undefined;
  if (plan.choices && random.chance(0.8)) return { choice: proceed ? 'go' : 'stop', feedback };
  if (plan.inputSchema && proceed) return { proceed, values: { size: random.between(1, 9) }, feedback };
  return { proceed, feedback };
}

const refusal = (plan: Plan): Answer => (plan.choices ? { choice: 'stop' } : { proceed: false });

function wrongAnswer(plan: Plan): Answer {
  if (plan.choices) return { choice: 'go', proceed: false };
  if (plan.inputSchema) return { proceed: true, values: { size: 0 } };
  return { proceed: true, values: { size: 1 } };
}

function pickWeighted<Item>(random: Random, weighted: readonly [Item, number][]): Item {
  let left = random.next() * weighted.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [item, weight] of weighted) if ((left -= weight) < 0) return item;
  throw new RangeError('nothing to pick from');
}
