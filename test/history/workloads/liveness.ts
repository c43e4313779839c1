/** Work goes on: after whatever happened, questions are asked, shown, answered and settled on every node. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Recorder } from '../recorder.js';
import {
  answerByRest,
  askByRest,
  Device,
  effective,
  readByRest,
  LostCall,
  type Asked,
  type PromptFrame,
} from '../recorded-client.js';
import type { RedisSite } from '../sites/nodes-on-redis.js';
import type { Node } from '../sites/single-node.js';

export interface LivenessOptions {
  /** Asked on each node. */
  questions: number;
  withinMs: number;
}

/** Far from the questions of the work that goes on meanwhile. */
const FIRST_QUESTION = 900_000_000;

export class Liveness {
  private asked = 0;
  private users = 0;
  /** How long each look took. */
  readonly tookMs: number[] = [];

  constructor(
    private readonly site: RedisSite,
    private readonly recorder: Recorder,
    private readonly options: LivenessOptions,
  ) {}

  /** @throws when not all of it is done in time */
  async prove(): Promise<void> {
    const began = Date.now();
    const { nodes } = this.site;
    const settled = new Map(nodes.map(({ name }) => [name, 0]));
    const { questions, withinMs } = this.options;
    const all = Promise.all(
      nodes.map((node, index) => {
        const others = [nodes[(index + 1) % nodes.length]!, nodes[(index + 2) % nodes.length]!] as const;
        return this.proveOf(node, others, () => settled.set(node.name, (settled.get(node.name) ?? 0) + 1));
      }),
    );
    const over = new AbortController();
    const late = pause(withinMs, undefined, { signal: over.signal }).then(() => {
      const counts = [...settled].map(([name, count]) => `${name} ${count}`).join(', ');
      throw new Error(`work does not go on: of ${questions} questions on each node were settled in ${withinMs} ms: ${counts}`);
    });
    late.catch(() => undefined); // aborted
    await Promise.race([all, late]);
    over.abort();
    this.tookMs.push(Date.now() - began);
  }

  /** Asked on one node, shown on the next, answered there or on a third. */
  private async proveOf(node: Node, [next, third]: readonly [Node, Node], onSettled: () => void): Promise<void> {
    const userId = `alive-${++this.users}`;
    const prompts = new Map<number, (prompt: PromptFrame) => void>();
    const device = await this.connected(next, userId, (prompt) => prompts.get(prompt.step)?.(prompt));
    const one = async (index: number): Promise<void> => {
      const question = FIRST_QUESTION + ++this.asked;
      const shown = new Promise<PromptFrame>((resolve) => prompts.set(question, resolve));
      const asked: Asked = { question, userId, taskId: `alive-${question}`, timeoutMs: null, onTimeoutBySetting: 'proceed' };
      const decided = askByRest(this.recorder, node, asked);
      const { callback_id: callbackId } = await shown;
      const answer = { proceed: index % 2 === 0 };
      const given = [callbackId, answer, effective(answer)] as const;
      if (index % 3 === 0) await answerByRest(this.recorder, third, ...given);
      else await device.answer(...given);
      await decided;
      await readByRest(this.recorder, third, callbackId);
      onSettled();
    };
    await Promise.all(Array.from({ length: this.options.questions }, (_, index) => one(index)));
    await device.leave();
  }

  private async connected(node: Node, userId: string, onPrompt: (prompt: PromptFrame) => void): Promise<Device> {
    for (;;) {
      try {
        return await Device.connect(this.recorder, node, userId, onPrompt);
      } catch (error) {
        if (!(error instanceof LostCall)) throw error;
        await pause(20);
      }
    }
  }
}
