/** Answers aimed at the deadline: as many as possible arrive within a few milliseconds of it, on both sides. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Recorder } from '../recorder.js';
import {
  answerByRest,
  askByRest,
  askInProcess,
  Device,
  effective,
  readByRest,
  type Asked,
  type PromptFrame,
} from '../recorded-client.js';
import { Random } from '../../support/random.js';
import type { Site } from '../sites/single-node.js';
import { eachOf } from './random-mix.js';

export interface Aimed {
  seed: number;
  /** How many answers. */
  count: number;
  /** How far from the deadline at most. */
  spreadMs: number;
  /** How long a question waits, from and to: longer than it takes to be shown. @default 25 to 60 */
  timeoutMs?: readonly [number, number];
  /** Questions under way at once. @default 24 */
  lanes?: number;
}

/** @returns how many answers came in time and how many did not */
export async function aimAtDeadlines(
  site: Site,
  recorder: Recorder,
  { seed, count, spreadMs, timeoutMs: [least, most] = [25, 60], lanes = 24 }: Aimed,
): Promise<{ intime: number; late: number }> {
  const score = { intime: 0, late: 0 };
  /** The way to the store takes a while, and how long depends on the machine: too many late ones, and the next leave earlier. */
  let leadMs = 2;
  let next = 0;

  const lane = async (number: number): Promise<void> => {
    const userId = `aimed-${number}`;
    let shown: (prompt: PromptFrame) => void = () => undefined;
    const device = await Device.connect(recorder, await site.node(), userId, (prompt) => shown(prompt));
    while (next < count) {
      const question = ++next;
      const random = Random.of(seed, question);
      const asked: Asked = {
        question,
        userId,
        taskId: `aimed-task-${question}`,
        timeoutMs: random.between(least, most),
        onTimeout: random.pick(['proceed', 'abort', 'error', undefined] as const),
        onTimeoutBySetting: 'proceed',
      };
      const prompted = new Promise<PromptFrame>((resolve) => (shown = resolve));
      const node = await site.node();
      const byRest = random.chance(0.2);
      const decided = node.notifications && !byRest ? askInProcess(recorder, node, asked) : askByRest(recorder, node, asked);
      const prompt = await prompted;
      const aim = (prompt.expires_at ?? 0) * 1000 + (random.next() * 2 - 1) * spreadMs - leadMs;
      await pause(Math.max(0, aim - Date.now()));
      const answer = { proceed: random.chance(0.5) };
      const given = [prompt.callback_id, answer, effective(answer)] as const;
      const accepted = random.chance(0.2)
        ? await answerByRest(recorder, await site.node(), ...given)
        : await device.answer(...given);
      score[accepted ? 'intime' : 'late'] += 1;
      leadMs += accepted ? -0.4 : 0.4;
      await decided;
    }
    await device.leave();
  };

  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  const node = await site.node();
  const callbackIds = new Set(recorder.entries.flatMap((entry) => (entry.kind === 'ended' ? entry.callbackId : [])));
  await eachOf([...callbackIds], 32, (callbackId) => readByRest(recorder, node, callbackId));
  return score;
}
