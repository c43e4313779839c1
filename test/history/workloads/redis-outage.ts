/**
 * What people see while the store is away: every node says that it is not ready, refuses what is new within two seconds,
 * keeps its sockets open and lets its waiters wait; afterwards a repeated answer counts and every waiter gets its decision, without
 * having asked again. A deadline that passes meanwhile, with a default that only the setting gave, is met by a caller who asks
 * again and again, so that a call arrives before any node has applied what is due; the checker judges what it gets.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Recorder } from '../recorder.js';
import { isReady, type RedisSite } from '../sites/nodes-on-redis.js';
import { askByRest, Device, effective, readByRest, LostCall, type Asked, type PromptFrame } from '../recorded-client.js';
import type { Node } from '../sites/single-node.js';

/** The 2 s after which a call rejects while the engine is away, and what a busy machine adds. */
const REFUSED_WITHIN_MS = 4000;
/** As long as a caller by REST may wait at once. */
const WAIT_SECONDS = 60;
/** Soon after the outage has begun. */
const OVERDUE_MS = 2500;
const FIRST_QUESTION = 800_000_000;

interface Patient {
  device: Device;
  node: Node;
  prompt: PromptFrame;
  decided: Promise<void>;
  hasEnded: boolean;
}

export class Outage {
  private patients: Patient[] = [];
  private overdue: Promise<void>[] = [];
  private serial = 0;
  /** The longest that a refusal took, and that a node seemed ready. */
  slowestRefusalMs = 0;
  slowestRedMs = 0;

  constructor(
    private readonly site: RedisSite,
    private readonly recorder: Recorder,
  ) {}

  /** Starts `perNode` waiting callers on each node, each with a device on the next node. To be called shortly before. */
  async prepare(perNode: number): Promise<void> {
    const { nodes } = this.site;
    const places = nodes.flatMap((_, index) => Array.from({ length: perNode }, () => index));
    this.patients = await Promise.all(places.map((index) => this.wait(nodes[index]!, nodes[(index + 1) % nodes.length]!)));
    await Promise.all(nodes.map((node) => this.beginOverdue(node)));
  }

  /** While it is away. */
  async prove(): Promise<void> {
    const { nodes } = this.site;
    await Promise.all([
      ...nodes.map((node) => this.turnsRed(node)),
      ...nodes.map((node) => this.refusesQuestions(node)),
      ...this.patients.map((patient) => this.isRefused(patient)),
    ]);
    await pause(0);
    const closed = this.patients.filter(({ device }) => !device.isOpen).length;
    const ended = this.patients.filter(({ hasEnded }) => hasEnded).length;
    if (closed > 0 || ended > 0)
      throw new Error(`while the store was away ${closed} connections were closed and ${ended} waiters got something`);
  }

  /** When it is back: every device answers again, and every waiter gets its decision. */
  async heal(): Promise<void> {
    await Promise.all(
      this.patients.map(async ({ device, prompt, decided }) => {
        // On a machine that is too slow a node may find Redis away once more.
        for (let tries = 1; !(await device.answer(prompt.callback_id, ANSWER, effective(ANSWER))); tries += 1)
          if (tries === 5) throw new Error(`${prompt.callback_id}: an answer repeated after the outage was not accepted`);
        await decided;
        await device.leave();
      }),
    );
    this.patients = [];
    await Promise.all(this.overdue.splice(0));
  }

  private async wait(asking: Node, node: Node): Promise<Patient> {
    const question = FIRST_QUESTION + ++this.serial;
    const asked: Asked = {
      question,
      userId: `patient-${this.serial}`,
      taskId: `patient-task-${this.serial}`,
      timeoutMs: null,
      onTimeoutBySetting: 'proceed',
    };
    let show: (prompt: PromptFrame) => void = () => undefined;
    const shown = new Promise<PromptFrame>((resolve) => (show = resolve));
    // Until it has said who it is it is shown everybody's.
    const onPrompt = (prompt: PromptFrame): void => {
      if (prompt.step === question) show(prompt);
    };
    const device = await Device.connect(this.recorder, node, asked.userId, onPrompt);
    let create: () => void = () => undefined;
    const created = new Promise<void>((resolve) => (create = resolve));
    const decided = askByRest(this.recorder, asking, asked, { wait: WAIT_SECONDS, onCreated: () => create() });
    const [prompt] = await Promise.all([shown, created]);
    // It is about to ask with `wait`; once a request that comes later is answered, the node has read for it and waits.
    await new Promise((resolve) => setImmediate(resolve));
    await readByRest(this.recorder, asking, prompt.callback_id);
    const patient: Patient = { device, node, prompt, decided, hasEnded: false };
    const end = (): void => void (patient.hasEnded = true);
    decided.then(end, end);
    return patient;
  }

  private async beginOverdue(node: Node): Promise<void> {
    const question = FIRST_QUESTION + ++this.serial;
    const asked: Asked = {
      question,
      userId: `patient-${this.serial}`,
      taskId: `patient-task-${this.serial}`,
      key: `overdue-${question}`,
      timeoutMs: OVERDUE_MS,
      onTimeoutBySetting: 'proceed',
    };
    await new Promise<void>((resolve) => {
      const untilDecided = async (): Promise<void> => {
        for (;;) {
          try {
            return await askByRest(this.recorder, node, asked, { wait: 1, onCreated: () => resolve() });
          } catch (error) {
            if (!(error instanceof LostCall)) throw error;
            await pause(5);
          }
        }
      };
      this.overdue.push(untilDecided());
    });
  }

  private async turnsRed(node: Node): Promise<void> {
    const began = Date.now();
    while (await isReady(node)) {
      if (Date.now() - began > REFUSED_WITHIN_MS) throw new Error(`${node.name} seems ready though the store is away`);
      await pause(10);
    }
    this.slowestRedMs = Math.max(this.slowestRedMs, Date.now() - began);
  }

  private async refusesQuestions({ name, url }: Node): Promise<void> {
    const body = { user_id: 'nobody', task_id: 'nothing', step: 1, step_result: { message: 'Go on?' } };
    const refused = await this.timed(name, async () => {
      const response = await fetch(`${url}/ws/confirmations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, ...((await response.json()) as { code?: string }) };
    });
    if (refused.status !== 503 || refused.code !== 'UNAVAILABLE')
      throw new Error(`${name} answered a question with ${JSON.stringify(refused)} while the store was away`);
  }

  private async isRefused({ device, prompt, node }: Patient): Promise<void> {
    const accepted = await this.timed(node.name, () => device.answer(prompt.callback_id, ANSWER, effective(ANSWER)));
    if (accepted) throw new Error(`${node.name} accepted an answer while the store was away`);
  }

  private async timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    const began = Date.now();
    const result = await work();
    const tookMs = Date.now() - began;
    this.slowestRefusalMs = Math.max(this.slowestRefusalMs, tookMs);
    if (tookMs > REFUSED_WITHIN_MS) throw new Error(`${what} took ${tookMs} ms to refuse while the store was away`);
    return result;
  }
}

const ANSWER = { proceed: false, feedback: 'patient' };
