/**
 * `kill -9` in the middle of a stream of creates and answers, again and again on the same data, with many prompts pending.
 * After each start everything that was acknowledged is looked for, and what was under way is taken up by its key.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Recorder } from '../recorder.js';
import {
  answerByRest,
  askByRest,
  Device,
  effective,
  listByRest,
  readByRest,
  LostCall,
  type Answer,
  type Asked,
} from '../recorded-client.js';
import { Random } from '../../support/random.js';
import type { Site } from '../sites/single-node.js';
import { eachOf } from './random-mix.js';

export interface KillOptions {
  seed: number;
  rounds: number;
  /** Prompts that are pending when the process is killed. */
  pending: number;
  /** The most acknowledgements of a round that come before the kill. */
  burst: number;
  /** Who waits, and comes back with its key when its node is gone. @default 12 */
  callers?: number;
}

const USERS = 10;
const CREATORS = 6;
const ANSWERERS = 6;
const AFTER_LOSS_MS = 5;

export class KillWorkload {
  /** Acknowledged and not answered. */
  private readonly open = new Set<string>();
  /** Somebody waits for these: they are answered first. */
  private readonly waitedFor = new Set<string>();
  private readonly users = new Map<string, string>();
  /** What became of these only the store knows: asked, or answered, when the process died. */
  private asksInDoubt: Asked[] = [];
  private answersInDoubt: string[] = [];
  private readonly callers = new Set<Promise<void>>();
  private questions = 0;
  private random: Random;
  private killing = false;
  private acknowledged = 0;
  private killAfter = Infinity;
  private kill: () => void = () => undefined;
  /** What was acknowledged and is not in its user's inbox. */
  readonly missing: string[] = [];

  constructor(
    private readonly site: Site,
    private readonly recorder: Recorder,
    private readonly options: KillOptions,
  ) {
    this.random = Random.of(options.seed);
  }

  async run(): Promise<void> {
    for (let round = 1; round <= this.options.rounds; round += 1) {
      await this.fill();
      await this.stream();
      await this.takeStock();
    }
    await this.answerEverything();
    await Promise.all(this.callers);
    await this.readAll();
  }

  /** As many pending as there are to be. */
  private async fill(): Promise<void> {
    const lacking = Array.from({ length: Math.max(0, this.options.pending - this.open.size) }, () => this.newQuestion());
    await eachOf(lacking, 32, (asked) => this.create(asked));
  }

  /** Creates and answers until the process is gone. */
  private async stream(): Promise<void> {
    this.killing = false;
    this.acknowledged = 0;
    this.killAfter = this.random.between(1, this.options.burst);
    const killed = new Promise<void>((resolve) => (this.kill = resolve)).then(() => {
      this.killing = true;
      return this.site.restart(0);
    });
    const devices = await Promise.all(
      Array.from({ length: USERS / 2 }, async (_, user) => Device.connect(this.recorder, await this.site.node(), `user-${user}`)),
    );
    const { callers = 12 } = this.options;
    while (this.callers.size < callers) this.call();
    const work = [
      ...Array.from({ length: CREATORS }, () => this.untilKilled(() => this.create(this.newQuestion()))),
      ...Array.from({ length: ANSWERERS }, () => this.untilKilled(() => this.answerOne())),
      ...devices.map((device) => this.untilKilled(() => this.answerOne(device))),
    ];
    await killed;
    await Promise.all(work);
    // Where other nodes live on, so do connections to them.
    await Promise.all(devices.filter((device) => device.isOpen).map((device) => device.leave()));
  }

  private async untilKilled(work: () => Promise<void>): Promise<void> {
    while (!this.killing) await work();
  }

  private acknowledge(): void {
    this.acknowledged += 1;
    if (this.acknowledged === this.killAfter) this.kill();
  }

  private opened(callbackId: string, userId: string): void {
    this.open.add(callbackId);
    this.users.set(callbackId, userId);
  }

  private newQuestion(): Asked {
    const question = ++this.questions;
    const userId = `user-${question % USERS}`;
    const taskId = `task-${question}`;
    // A default of "proceed" that only a setting gives: a yes that nobody gave would show.
    return { question, userId, taskId, key: `key-${question}`, timeoutMs: null, onTimeoutBySetting: 'proceed' };
  }

  private async create(asked: Asked): Promise<void> {
    try {
      const onCreated = (callbackId: string): void => this.opened(callbackId, asked.userId);
      await askByRest(this.recorder, await this.site.node(), asked, { wait: 0, onCreated });
      this.acknowledge();
    } catch (error) {
      if (!(error instanceof LostCall)) throw error;
      this.asksInDoubt.push(asked);
    }
  }

  /** A caller that waits, and comes back with its key as often as it has to. */
  private call(): void {
    const asked = this.newQuestion();
    const onCreated = (callbackId: string, isNew: boolean): void => {
      this.waitedFor.add(callbackId);
      if (isNew) this.opened(callbackId, asked.userId);
    };
    const wait = async (): Promise<void> => {
      for (;;) {
        const node = await this.site.node();
        try {
          return await askByRest(this.recorder, node, asked, { onCreated });
        } catch (error) {
          if (!(error instanceof LostCall)) throw error;
          await pause(AFTER_LOSS_MS);
        }
      }
    };
    const caller = wait().finally(() => this.callers.delete(caller));
    this.callers.add(caller);
  }

  private async answerOne(device?: Device): Promise<void> {
    const callbackId = this.choose(device?.userId ?? undefined);
    if (callbackId === undefined) return new Promise((resolve) => setImmediate(resolve));
    this.open.delete(callbackId);
    this.waitedFor.delete(callbackId);
    const answer: Answer = { proceed: this.random.chance(0.5), feedback: String(this.random.between(1, 1000)) };
    const given = [callbackId, answer, effective(answer)] as const;
    const accepted = device ? await device.answer(...given) : await answerByRest(this.recorder, await this.site.node(), ...given);
    if (accepted) this.acknowledge();
    else this.answersInDoubt.push(callbackId);
  }

  /** A prompt to answer: first those that somebody waits for. */
  private choose(userId: string | undefined): string | undefined {
    const candidates = this.random.chance(0.3) && this.waitedFor.size > 0 && userId === undefined ? this.waitedFor : this.open;
    let skip = this.random.between(0, Math.min(candidates.size, 50));
    for (const callbackId of candidates) {
      if (skip-- > 0 || !this.open.has(callbackId)) continue;
      if (userId === undefined || this.users.get(callbackId) === userId) return callbackId;
    }
    return undefined;
  }

  /** What is there after the start, against what was acknowledged before the end. */
  private async takeStock(): Promise<void> {
    const answers = this.answersInDoubt.splice(0);
    const node = await this.site.node();
    await eachOf(answers, 32, async (callbackId) => {
      if ((await readByRest(this.recorder, node, callbackId))?.state === 'pending') this.open.add(callbackId);
    });
    await eachOf(this.asksInDoubt.splice(0), 32, (asked) => this.create(asked));
    const expected = [...this.open]; // the inbox may hold more: what was stored and not acknowledged
    const found = new Set<string>();
    for (let user = 0; user < USERS; user += 1) {
      for (const { callback_id: callbackId, user_id: userId } of await listByRest(this.recorder, node, `user-${user}`)) {
        found.add(callbackId);
        this.opened(callbackId, userId);
      }
    }
    this.missing.push(...expected.filter((callbackId) => !found.has(callbackId)));
  }

  /** Every prompt can be answered. */
  private async answerEverything(): Promise<void> {
    const node = await this.site.node();
    while (this.open.size > 0 || this.callers.size > 0) {
      const answer: Answer = { proceed: false, feedback: 'at last' };
      await eachOf([...this.open], 32, async (callbackId) => {
        this.open.delete(callbackId);
        if (!(await answerByRest(this.recorder, node, callbackId, answer, effective(answer)))) this.missing.push(callbackId);
      });
      await Promise.race([...this.callers, new Promise((resolve) => setImmediate(resolve))]);
    }
  }

  private async readAll(): Promise<void> {
    const known = new Set<string>();
    for (const entry of this.recorder.entries) if ('callbackId' in entry) known.add(entry.callbackId);
    const node = await this.site.node();
    await eachOf([...known], 32, (callbackId) => readByRest(this.recorder, node, callbackId));
  }
}
